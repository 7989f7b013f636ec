/** `localizer ping`: does a daemon answer? For scripts, the exit code says it. */
import type { Command } from "../command.ts";
import { daemonClient } from "../daemon-client.ts";

/** Exits with 0 when one does, with 3 when none does. */
export const ping: Command = {
  name: "ping",
  operands: "",
  maxOperands: 0,
  summary: "say whether the daemon answers",
  details: "Exits with 0 if it does and with 3 if it does not.",
  flags: {},
  async run({ io, flags }) {
    const { client, socketPath } = await daemonClient(flags, io);
    await using _client = client;
    await client.ping();
    io.stdout(`The daemon on "${socketPath}" answers\n`);
    return 0;
  },
};
