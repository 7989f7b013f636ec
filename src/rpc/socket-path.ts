/**
 * Where the daemon's socket lies: the real one in a folder of the user's own, and a link to it where the
 * original had its socket. Pure; daemon and cli agree through it.
 */
import { join } from "node:path";

/** The daemon's own socket: below `$XDG_RUNTIME_DIR/localizer`, or `/run/localizer-<uid>` without one. */
export function privateSocketPath(env: NodeJS.ProcessEnv, uid: number): string {
  return join(privateSocketFolder(env, uid), "localizer.sock");
}

/** Where it is when the daemon has no helper and the session no runtime folder: below `temporary`. */
export function fallbackSocketPath(temporary: string, uid: number): string {
  return join(temporary, `localizer-${uid}`, "localizer.sock");
}

function privateSocketFolder(env: NodeJS.ProcessEnv, uid: number): string {
  const { XDG_RUNTIME_DIR: runtime = "" } = env;
  // The XDG base directory specification: a relative path is to be ignored.
  return runtime.startsWith("/") ? join(runtime, "localizer") : `/run/localizer-${uid}`;
}
