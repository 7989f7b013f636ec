/** Which socket a command talks to. */
import { tmpdir } from "node:os";
import { defaultSocketLink } from "../model/socket-link.ts";
import { chooseSocket } from "../rpc/daemon-socket.ts";
import { fallbackSocketPath, privateSocketPath } from "../rpc/socket-path.ts";
import { type FlagValues, one } from "./flag-values.ts";
import type { CliIo } from "./io.ts";

/**
 * The one that --socket names; else the original's well-known path, else one of the user's own. Of the last the one on
 * which a daemon answers, so that a link left behind by a killed helper does not hide a daemon that lives.
 * @throws LocalizerError `denied` when there is none but in a folder that others can enter
 */
export async function findSocket(
  flags: FlagValues,
  io: Pick<CliIo, "env" | "uid">,
  machine: { readonly wellKnown?: string; readonly temporary?: string } = {},
): Promise<string> {
  const { wellKnown = defaultSocketLink, temporary = tmpdir() } = machine;
  const own = privateSocketPath(io.env, io.uid);
  const fallback = fallbackSocketPath(temporary, io.uid);
  return one(flags, "socket") ?? (await chooseSocket({ wellKnown, own, fallback }, io.uid));
}
