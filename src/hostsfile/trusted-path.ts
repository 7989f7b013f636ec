/**
 * Follows a path step by step and, for root, refuses one that another user could bend: a program with root's rights must
 * not write where somebody else chooses. Used for the hosts file and by the helper for its own places.
 */
import { LocalizerError } from "../errors.ts";

/** What is asked of a file, a directory or a link. Link means the link itself. */
export interface FileFacts {
  readonly kind: "file" | "directory" | "link" | "other";
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly nlink: number;
  /** Permission bits only, set-uid, set-gid and sticky included. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** The two calls needed to follow a path. */
export interface PathReader {
  lstat(path: string): Promise<FileFacts>;
  readlink(path: string): Promise<string>;
}

const writableByOthers = 0o022;
const sticky = 0o1000;
const maxLinks = 40;

/**
 * The path without links. With `asRoot`, every directory and link on the way must be root's, no directory writable by
 * group or world (a sticky one may be passed through), and the one that holds the result not even that.
 * @throws LocalizerError `denied` naming the directory or link that is not trusted
 * @throws the system's error when something on the way is missing
 */
export async function resolvePath(path: string, reader: PathReader, asRoot: boolean): Promise<string> {
  const resolved = await follow(path, reader, asRoot);
  if (asRoot) await demandClosed(path, parentOf(resolved), reader);
  return resolved;
}

/**
 * The directory without links, trusted as `resolvePath` says, and itself closed to others when `asRoot`.
 * @throws LocalizerError `denied` when it is no directory or not trusted
 */
export async function resolveDirectory(path: string, reader: PathReader, asRoot: boolean): Promise<string> {
  const resolved = await follow(path, reader, asRoot);
  if ((await reader.lstat(resolved)).kind !== "directory") throw untrusted(path, "it is not a directory");
  if (asRoot) {
    await demandRoots(path, resolved, reader);
    await demandClosed(path, resolved, reader);
  }
  return resolved;
}

async function follow(path: string, reader: PathReader, asRoot: boolean): Promise<string> {
  if (!path.startsWith("/")) throw new LocalizerError("usage", `Cannot use "${path}": want an absolute path`);
  let at = "/";
  let links = 0;
  const steps = path.split("/");
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    if (step === "" || step === ".") continue;
    if (asRoot) await demandRoots(path, at, reader);
    if (step === "..") {
      at = parentOf(at);
      continue;
    }
    const next = at === "/" ? `/${step}` : `${at}/${step}`;
    const facts = await reader.lstat(next);
    if (facts.kind !== "link") {
      at = next;
      continue;
    }
    if (asRoot && facts.uid !== 0) throw untrusted(path, `the link "${next}" does not belong to root`);
    if (++links > maxLinks) throw new LocalizerError("usage", `Cannot use "${path}": too many links on the way`);
    const target = await reader.readlink(next);
    if (target.startsWith("/")) at = "/";
    steps.unshift(...target.split("/"));
  }
  return at;
}

async function demandRoots(path: string, directory: string, reader: PathReader): Promise<void> {
  const { uid, mode } = await reader.lstat(directory);
  if (uid !== 0) throw untrusted(path, `"${directory}" does not belong to root`);
  if ((mode & writableByOthers) !== 0 && (mode & sticky) === 0) {
    throw untrusted(path, `"${directory}" can be written by others than root`);
  }
}

async function demandClosed(path: string, directory: string, reader: PathReader): Promise<void> {
  const { mode } = await reader.lstat(directory);
  if ((mode & writableByOthers) !== 0) throw untrusted(path, `"${directory}" can be written by others than root`);
}

function untrusted(path: string, why: string): LocalizerError {
  return new LocalizerError("denied", `Cannot use "${path}" as root: ${why}`);
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
