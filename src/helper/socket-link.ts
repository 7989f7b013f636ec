/** The well-known socket path: a link of root's to a user's private socket, so that old clients find the daemon. */
import { lstat, readlink, rename, symlink, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf, LocalizerError } from "../errors.ts";
import { systemHostsFs } from "../hostsfile/hosts-file.ts";
import { resolveDirectory } from "../hostsfile/trusted-path.ts";
import { probeUnixSocket } from "../net/unix-socket.ts";
import { demandSocketPath } from "./check-places.ts";

/** A link that was made: where, and where it leads. */
export interface SocketLink {
  readonly path: string;
  readonly target: string;
}

/**
 * Where the link may go and lead: the link's folder is closed to others than root, the target's belongs to the user.
 * @throws LocalizerError `usage` for a path that is no socket's, `denied` for a folder that is not trusted
 */
export async function checkedLink(path: string, target: string, uid: number, asRoot: boolean): Promise<SocketLink> {
  for (const text of [path, target]) demandSocketPath(text);
  const folder = await lstat(dirname(target)).catch(() => undefined);
  if (!folder?.isDirectory() || folder.uid !== uid) {
    throw new LocalizerError("denied", `Cannot link to "${target}": its folder does not belong to user ${uid}`);
  }
  try {
    const directory = await resolveDirectory(dirname(path), systemHostsFs, asRoot);
    return { path: join(directory, basename(path)), target };
  } catch (error) {
    throw LocalizerError.wrap(error, `Cannot make link "${path}"`, "not-found");
  }
}

/**
 * Makes the link, over a left-over of ours: a link of this process's user whose target does not answer.
 * @throws LocalizerError `conflict` when anything else stands there
 */
export async function makeLink({ path, target }: SocketLink): Promise<void> {
  const action = `Cannot make link "${path}"`;
  const found = await lstat(path).catch(() => undefined);
  if (found !== undefined && !(found.isSymbolicLink() && found.uid === process.geteuid?.())) {
    throw new LocalizerError("conflict", `${action}: a file that is no link of localizer's stands there`);
  }
  if (found !== undefined) {
    const current = await readlink(path);
    if (current !== target && (await answers(path))) {
      throw new LocalizerError("conflict", `${action}: another localizer answers at "${current}"`);
    }
  }
  const temporary = `${path}.localizer-${process.pid}`;
  await unlink(temporary).catch(() => {});
  try {
    await symlink(target, temporary);
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw LocalizerError.wrap(error, action, errnoOf(error) === "EROFS" ? "denied" : "internal");
  }
}

/**
 * Removes the link if it still is that one and nobody answers behind it, or if that does not matter because who answers
 * asked for it. False when it stays for somebody who answers: another daemon may have made the very same link since.
 */
export async function removeLink({ path, target }: SocketLink, evenIfLive = false): Promise<boolean> {
  const current = await readlink(path).catch(() => undefined);
  const facts = await lstat(path).catch(() => undefined);
  if (current !== target || facts?.uid !== process.geteuid?.()) return true;
  if (!evenIfLive && (await answers(path))) return false;
  await unlink(path);
  return true;
}

/** Says whether somebody answers behind this path, or might. */
export async function answers(path: string): Promise<boolean> {
  // A probe that fails for another reason than silence proves nothing: leave the link alone.
  return await probeUnixSocket(path).then(
    (state) => state === "live",
    () => true,
  );
}
