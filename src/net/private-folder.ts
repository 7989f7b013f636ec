/** Whom a folder lets in: asked before what lies in it is trusted. */
import { lstatSync } from "node:fs";

/**
 * - `private`: a folder, no link to one, that belongs to `uid` and that nobody else may enter
 * - `absent`: nothing is there
 * - `open`: anything else; what lies in it may be anybody's
 */
export function folderPrivacy(path: string, uid: number): "private" | "absent" | "open" {
  try {
    const facts = lstatSync(path, { throwIfNoEntry: false });
    if (facts === undefined) return "absent";
    return facts.isDirectory() && facts.uid === uid && (facts.mode & 0o077) === 0 ? "private" : "open";
  } catch {
    // What cannot even be looked at is not known to be private.
    return "open";
  }
}
