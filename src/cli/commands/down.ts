/** `localizer down`: stops the daemon in order and waits until it is gone. */
import { codeOf } from "../../errors.ts";
import type { DaemonClient } from "../../rpc/client.ts";
import { daemonGone } from "../../rpc/daemon-socket.ts";
import type { Command } from "../command.ts";
import { daemonClient } from "../daemon-client.ts";

/** Exposures have 90 s to go back. */
const stopTimeoutMs = 120_000;
const goneTimeoutMs = 10_000;

/** Exits with 3 when there is no daemon to stop. */
export const down: Command = {
  name: "down",
  operands: "",
  maxOperands: 0,
  summary: "stop the daemon, wherever it runs, and wait until it is gone",
  details:
    "Exposed Services are given back, and listeners, names and addresses are gone when it returns. Exits with 3 if there is no daemon.",
  flags: {},
  async run({ io, flags }) {
    const { clock } = io;
    const { client, socketPath } = await daemonClient(flags, io);
    await using _client = client;
    const exposed = await exposedServices(client);
    if (exposed.length > 0) io.stdout(`Giving back ${exposed.join(", ")} first\n`);
    try {
      await client.kill({ timeoutMs: stopTimeoutMs });
    } catch (error) {
      // The original ends without an answer; then its socket tells.
      if (codeOf(error) !== "unavailable") throw error;
    }
    await daemonGone(socketPath, { clock, timeoutMs: goneTimeoutMs });
    io.stdout(`Stopped the daemon on "${socketPath}"\n`);
    return 0;
  },
};

/** A daemon that cannot say so will be stopped all the same. */
async function exposedServices(client: DaemonClient): Promise<readonly string[]> {
  const list = await client.list().catch(() => undefined);
  return (list?.exposures ?? []).map(({ namespace, service }) => `${namespace}/${service}`).sort();
}
