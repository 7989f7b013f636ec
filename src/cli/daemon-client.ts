/** The way to the daemon, for commands. Loaded when one needs it: connect and protobuf take longer than most commands. */
import type { DaemonClient } from "../rpc/client.ts";
import { findSocket } from "./find-socket.ts";
import type { FlagValues } from "./flag-values.ts";
import type { CliIo } from "./io.ts";

/** A client, not connected yet, and the socket that it will use. Disposing it closes the connection. */
export async function daemonClient(
  flags: FlagValues,
  io: CliIo,
): Promise<{ readonly client: DaemonClient; readonly socketPath: string }> {
  const [{ connectDaemon }, socketPath] = await Promise.all([import("../rpc/client.ts"), findSocket(flags, io)]);
  return { client: connectDaemon({ socketPath, clock: io.clock }), socketPath };
}
