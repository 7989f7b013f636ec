/** `localizer ping`: does a daemon answer? For scripts, the exit code says it. */
import type { Command } from "../command.ts";
import { daemonClient } from "../daemon-client.ts";
import { clusterLine } from "../list-formats.ts";

/** Exits with 0 when one does, with 3 when none does. */
export const ping: Command = {
  name: "ping",
  operands: "",
  maxOperands: 0,
  summary: "say whether the daemon answers, and which cluster it serves",
  details: "Exits with 0 if it does and with 3 if it does not.",
  flags: {},
  async run({ io, flags }) {
    const { client, socketPath } = await daemonClient(flags, io);
    await using _client = client;
    const cluster = await client.ping();
    const which = cluster === undefined ? "" : `${clusterLine(cluster)}\n`;
    io.stdout(`The daemon on "${socketPath}" answers\n${which}`);
    return 0;
  },
};
