/** A server's unix socket, taken from whoever was killed there and from nobody else. */
import { lstatSync, mkdirSync, statSync, unlinkSync } from "node:fs";
import type { Server } from "node:net";
import { dirname } from "node:path";
import { errnoOf, LocalizerError } from "../errors.ts";
import { guardPath } from "./path-guard.ts";
import { bindUnixSocket, probeUnixSocket } from "./unix-socket.ts";

/**
 * Lets a server listen on a unix socket that only its owner (and root) can use: mode 0600 from the first moment,
 * in a folder that is made if missing (0700) and refused if others could replace files in it. What a killed
 * process left at the path is removed, if it is a socket of this user on which nobody answers. Of several
 * processes that want it at once exactly one gets it. Closing the server removes the file.
 * @throws LocalizerError `conflict` when somebody answers there or the file is no socket, `denied` without the right
 */
export async function listenUnixSocket(server: Server, path: string): Promise<void> {
  prepareFolder(dirname(path));
  await checkFree(path);
  // Between its bind and its listen a new socket looks like a dead one's, and a dead one's may be replaced after a look at it.
  await using guard = await guardPath(path);
  if (guard === undefined) {
    throw new LocalizerError("conflict", `Cannot listen on "${path}": another process was quicker`);
  }
  if (await checkFree(path)) unlinkSync(path);
  await bindUnixSocket(server, path);
}

function prepareFolder(folder: string): void {
  const action = `Cannot use the folder "${folder}" for a socket`;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { mode, uid } = statSync(folder);
    const othersMayReplace = (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
    const isOurs = uid === process.geteuid?.() || uid === 0;
    if (othersMayReplace || !isOurs) {
      throw new LocalizerError("denied", `${action}: other users may write in it`);
    }
  } catch (error) {
    throw LocalizerError.wrap(error, action, errnoOf(error) === "EACCES" ? "denied" : "internal");
  }
}

/** Says whether a dead socket lies there. */
async function checkFree(path: string): Promise<boolean> {
  const state = await probeUnixSocket(path);
  if (state === "live") throw new LocalizerError("conflict", `Cannot listen on "${path}": somebody answers there`);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return false;
  if (!found.isSocket()) throw new LocalizerError("conflict", `Cannot listen on "${path}": the file is no socket`);
  if (found.uid !== process.geteuid?.()) {
    throw new LocalizerError("denied", `Cannot listen on "${path}": the socket there belongs to another user`);
  }
  return true;
}
