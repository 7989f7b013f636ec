/** `localizer ping`: does a daemon answer? For scripts, the exit code says it. */
import type { Command } from "../command.ts";
import { daemonClient } from "../daemon-client.ts";
import { clusterLine } from "../list-formats.ts";

/** It answers at once, or something is wrong with it. */
const timeoutMs = 3_000;

/** Exits with 0 when one does, with 3 when none does. */
export const ping: Command = {
  name: "ping",
  operands: "",
  maxOperands: 0,
  summary: "say whether the daemon answers, and which cluster it serves",
  details:
    "Exits with 0 if it does, with 3 if there is none, and with 6 if there is one that does not answer within 3 s.",
  flags: {},
  async run({ io, flags }) {
    const { client, socketPath } = await daemonClient(flags, io);
    await using _client = client;
    const cluster = await client.ping({ timeoutMs });
    const which = cluster === undefined ? "" : `${clusterLine(cluster)}\n`;
    io.stdout(`The daemon on "${socketPath}" answers\n${which}`);
    return 0;
  },
};
