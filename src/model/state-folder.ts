/** Where the user's part remembers things between runs. Pure; cli and helper agree through it. */
import { join } from "node:path";

/** `$XDG_STATE_HOME/localizer`, by the XDG base directory specification: a relative path in the variable is ignored. */
export function defaultStateFolder(env: Readonly<Record<string, string | undefined>>, home: string): string {
  const { XDG_STATE_HOME: base = "" } = env;
  return join(base.startsWith("/") ? base : join(home, ".local", "state"), "localizer");
}
