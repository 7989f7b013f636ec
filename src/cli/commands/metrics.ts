/** `localizer metrics`: what was counted, as Prometheus reads it. */
import { prometheusText } from "../../client/prometheus-text.ts";
import type { Command } from "../command.ts";
import { daemonClient } from "../daemon-client.ts";

/** Prints it once, for a textfile collector or whatever serves it. */
export const metrics: Command = {
  name: "metrics",
  operands: "",
  maxOperands: 0,
  summary: "print what was counted as Prometheus text",
  details:
    "Text exposition format 0.0.4, of all namespaces. Write it to a file for the node exporter's textfile collector, or serve it:\n  localizer metrics >localizer.prom.tmp && mv localizer.prom.tmp localizer.prom",
  flags: {},
  async run({ io, flags }) {
    const { client } = await daemonClient(flags, io);
    await using _client = client;
    io.stdout(prometheusText(await client.stats()));
    return 0;
  },
};
