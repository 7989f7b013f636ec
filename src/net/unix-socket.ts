/** Unix sockets, looked at from outside: does anybody answer behind this path? */
import { linkSync, lstatSync, mkdirSync, renameSync, statSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { errnoOf, LocalizerError } from "../errors.ts";

/**
 * Connects once and hangs up. Links are followed.
 *
 * - `live`: somebody accepts, or would if their backlog were not full
 * - `dead`: the file is there and nobody listens (ECONNREFUSED); a file that is no socket says the same
 * - `absent`: there is no such file, or the link leads nowhere
 * @throws LocalizerError `denied` when this user may not connect, `usage` when the path is too long for a socket
 */
export function probeUnixSocket(path: string): Promise<"live" | "dead" | "absent"> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve("live");
    });
    socket.on("error", (error) => {
      switch (errnoOf(error)) {
        case "ECONNREFUSED":
          return resolve("dead");
        case "ENOENT":
        case "ENOTDIR":
          return resolve("absent");
        case "EAGAIN":
          return resolve("live");
        case "EACCES":
        case "EPERM":
          return reject(new LocalizerError("denied", `Cannot connect to "${path}": not allowed`, { cause: error }));
        case "EINVAL":
        case "ENAMETOOLONG":
          return reject(
            new LocalizerError("usage", `Cannot use "${path}" as a socket: the path is too long`, { cause: error }),
          );
        default:
          return reject(LocalizerError.wrap(error, `Cannot connect to "${path}"`));
      }
    });
  });
}

/**
 * Lets a server listen on a unix socket that only its owner (and root) can use: mode 0600 from the first moment,
 * in a folder that is made if missing (0700) and refused if others could replace files in it. What a killed
 * process left at the path is removed, if it is a socket of this user on which nobody answers.
 * Closing the server removes the file.
 * @throws LocalizerError `conflict` when somebody answers there or the file is no socket, `denied` without the right
 */
export async function listenUnixSocket(server: Server, path: string): Promise<void> {
  prepareFolder(dirname(path));
  await removeStale(path);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(listenError(path, error)));
    // `listen` binds before it returns, so the umask holds for the bind and, on this thread, for nothing else.
    const umask = process.umask(0o177);
    try {
      server.listen(path, resolve);
    } finally {
      process.umask(umask);
    }
  });
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

/** Moves the file aside before it looks, so that two starting processes never remove each other's fresh socket. */
async function removeStale(path: string): Promise<void> {
  const state = await probeUnixSocket(path);
  if (state === "absent" && lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  if (state === "live") throw new LocalizerError("conflict", `Cannot listen on "${path}": somebody answers there`);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new LocalizerError("conflict", `Cannot listen on "${path}": the file is no socket`);
  if (found.uid !== process.geteuid?.()) {
    throw new LocalizerError("denied", `Cannot listen on "${path}": the socket there belongs to another user`);
  }
  const aside = `${path}.${process.pid}`;
  renameSync(path, aside);
  const isLive = (await probeUnixSocket(aside)) === "live";
  if (isLive) linkSync(aside, path);
  unlinkSync(aside);
  if (isLive) throw new LocalizerError("conflict", `Cannot listen on "${path}": somebody answers there`);
}

function listenError(path: string, error: Error): LocalizerError {
  switch (errnoOf(error)) {
    case "EADDRINUSE":
      return new LocalizerError("conflict", `Cannot listen on "${path}": another process was quicker`, {
        cause: error,
      });
    case "EACCES":
    case "EPERM":
      return new LocalizerError("denied", `Cannot listen on "${path}": not allowed`, { cause: error });
    case "EINVAL":
      return new LocalizerError("usage", `Cannot listen on "${path}": the path is too long`, { cause: error });
    default:
      return LocalizerError.wrap(error, `Cannot listen on "${path}"`);
  }
}
