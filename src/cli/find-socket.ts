/** Which socket a command talks to. */
import { tmpdir } from "node:os";
import { chooseSocket } from "../rpc/daemon-socket.ts";
import { fallbackSocketPath, privateSocketPath, publicSocketPath } from "../rpc/socket-path.ts";
import { type FlagValues, one } from "./flag-values.ts";
import type { CliIo } from "./io.ts";

/**
 * The one that --socket names; else the original's well-known path, else the user's own. Of the last two the one on
 * which a daemon answers, so that a link left behind by a killed helper does not hide a daemon that lives.
 */
export async function findSocket(
  flags: FlagValues,
  io: Pick<CliIo, "env" | "uid">,
  wellKnown: string = publicSocketPath,
): Promise<string> {
  const own = [fallbackSocketPath(tmpdir(), io.uid), privateSocketPath(io.env, io.uid)];
  return one(flags, "socket") ?? (await chooseSocket([wellKnown, ...own]));
}
