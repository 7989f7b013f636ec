/** The folder for the real socket: entered by one user only, made by that user or, below /run, by the helper. */
import { constants } from "node:fs";
import { lstat, mkdir, open, rmdir, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, LocalizerError } from "../errors.ts";
import { folderPrivacy } from "../net/private-folder.ts";
import { answers } from "./socket-link.ts";

/** A user, as the helper must know him. */
export interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

/**
 * `$XDG_RUNTIME_DIR/localizer`, made if need be; undefined when there is no such session folder of this user's.
 * @throws LocalizerError `denied` when the folder in it can be entered by others
 */
export async function sessionRuntimeDirectory(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const { XDG_RUNTIME_DIR: session = "" } = env;
  // The XDG base directory specification: a relative path is to be ignored.
  if (!session.startsWith("/")) return undefined;
  const facts = await lstat(session).catch(() => undefined);
  if (!facts?.isDirectory() || facts.uid !== process.geteuid?.()) return undefined;
  return await ensurePrivateDirectory(join(session, "localizer"));
}

/**
 * Makes the folder with mode 0700, or finds it so. Its parent must be trusted.
 * @throws LocalizerError `denied` when it belongs to somebody else or can be entered by others
 */
export async function ensurePrivateDirectory(path: string): Promise<string> {
  await mkdir(path, { mode: 0o700 }).catch(ignoreExisting);
  demandPrivate(path, process.geteuid?.() ?? 0);
  return path;
}

/**
 * Makes `<base>/localizer-<uid>` for the user; only root can, in a base that only root can write.
 * @throws LocalizerError `denied` when something else stands there
 */
export async function makeRuntimeDirectory(base: string, user: UserIds): Promise<string> {
  const path = join(base, `localizer-${user.uid}`);
  const isNew = await mkdir(path, { mode: 0o700 }).then(() => true, ignoreExisting);
  if (isNew) {
    const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      await directory.chown(user.uid, user.gid);
    } finally {
      await directory.close();
    }
  }
  demandPrivate(path, user.uid);
  return path;
}

function demandPrivate(path: string, uid: number): void {
  if (folderPrivacy(path, uid) !== "private") {
    throw new LocalizerError("denied", `Cannot use "${path}": want a folder that only user ${uid} can enter`);
  }
}

function ignoreExisting(error: unknown): false {
  if (errnoOf(error) === "EEXIST") return false;
  throw error;
}

/**
 * Takes back what `makeRuntimeDirectory` made, with the dead socket that a killed daemon left in it, or a living one that
 * asked for it. A folder that another daemon of the user still uses stays. The folder above is root's, so nobody can bend the path meanwhile.
 */
export async function removeRuntimeDirectory(path: string, socket?: string, evenIfLive = false): Promise<void> {
  const isOurs = socket !== undefined && dirname(socket) === path;
  if (isOurs && (evenIfLive || !(await answers(socket)))) await unlink(socket).catch(() => {});
  await rmdir(path).catch(() => {});
}
