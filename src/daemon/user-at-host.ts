/** Who this is, for people: as holder of exposures, and of what is put back. */
import { hostname, userInfo } from "node:os";

/** `user@host`. */
export function userAtHost(): string {
  return `${userName()}@${hostname()}`;
}

/** A container may run as a uid without a name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.geteuid?.() ?? 0}`;
  }
}
