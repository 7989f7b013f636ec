/** Files that hold what is not for everybody: only their owner may read them, from the first byte on. */
import { randomBytes } from "node:crypto";
import { open, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, LocalizerError } from "../errors.ts";

/**
 * Writes the file with mode 0600, whole or not at all; one that is there is replaced, also where a link leads to it. What is no
 * file (a pipe, a terminal) is written to as it is.
 * @throws LocalizerError `denied` or `not-found` with the path
 */
export async function writePrivate(path: string, text: string): Promise<void> {
  try {
    const place = await realpath(path).catch(() => path);
    if ((await stat(place).catch(() => undefined))?.isFile() === false) {
      await writeFile(place, text);
      return;
    }
    await replace(place, text);
  } catch (error) {
    throw LocalizerError.wrap(error, `Cannot write "${path}"`, codeFor(errnoOf(error)));
  }
}

async function replace(path: string, text: string): Promise<void> {
  const draft = join(dirname(path), `.${randomBytes(6).toString("hex")}.tmp`);
  const file = await open(draft, "wx", 0o600);
  try {
    await file.writeFile(text).finally(() => file.close());
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

function codeFor(errno: string | undefined) {
  if (errno === "ENOENT" || errno === "ENOTDIR") return "not-found";
  return errno === "EACCES" || errno === "EPERM" || errno === "EROFS" ? "denied" : "internal";
}
