/** What `up` needs of the machine to start a daemon as the user who called it. Loaded by cli when it needs it. */
import { type DetachedDaemon, type DetachedOptions, startDetached } from "../helper/detached-daemon.ts";

/** Starts the daemon in a process that outlives this one and the terminal. @throws LocalizerError `denied` when there can be no log */
export function startDetachedDaemon(
  options: Pick<DetachedOptions, "flags" | "env" | "stateDir" | "socket">,
): DetachedDaemon {
  return startDetached(options);
}
