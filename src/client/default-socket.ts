/** Which socket is meant when none was named. */
import { tmpdir } from "node:os";
import { defaultSocketLink } from "../model/socket-link.ts";
import { chooseSocket } from "../rpc/daemon-socket.ts";
import { fallbackSocketPath, privateSocketPath } from "../rpc/socket-path.ts";

/**
 * The original's well-known path, else one of the user's own. Of these the one on which a daemon answers, so that a link
 * left behind by a killed helper does not hide a daemon that lives.
 * @throws LocalizerError `denied` when there is none but in a folder that others can enter
 */
export async function defaultSocket(
  user: { readonly env: NodeJS.ProcessEnv; readonly uid: number },
  machine: { readonly wellKnown?: string; readonly temporary?: string } = {},
): Promise<string> {
  const { wellKnown = defaultSocketLink, temporary = tmpdir() } = machine;
  const own = privateSocketPath(user.env, user.uid);
  const fallback = fallbackSocketPath(temporary, user.uid);
  return await chooseSocket({ wellKnown, own, fallback }, user.uid);
}
