/** Unix sockets: does anybody answer behind this path, and how one answers there that only its owner can use. */
import { connect, type Server } from "node:net";
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
        // Who listened has closed with this connection still in the queue: what is there now?
        case "ECONNRESET":
          return resolve(probeUnixSocket(path));
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
 * Lets a server listen on a path where nothing is: mode 0600 from the first moment. Closing the server removes the file.
 * @throws LocalizerError `conflict` when something is there, `denied` without the right, `usage` when the path is too long
 */
export async function bindUnixSocket(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error) => reject(listenError(path, error));
    server.once("error", failed);
    // `listen` binds before it returns, so the umask holds for the bind and, on this thread, for nothing else.
    const umask = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.off("error", failed);
        resolve();
      });
    } finally {
      process.umask(umask);
    }
  });
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
