/**
 * One process at a time does something to a path, whoever starts at once and whoever is killed in between.
 *
 * Who has the guard is named by a file, and has it as long as he answers on a socket of his own: for a dead one nobody
 * answers. The file appears complete or not at all (written aside, then linked), and only while its writer answers. A dead
 * one's is replaced only by who holds the file named after it, and looks again once he has that one. No name is used
 * twice, so a late-comer with an old view finds that it is old.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, constants, linkSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { errnoOf, LocalizerError } from "../errors.ts";
import { bindUnixSocket, probeUnixSocket } from "./unix-socket.ts";

/**
 * Takes the guard of a path, at once or not at all: undefined when somebody else has it. Dispose it to let the next one
 * have it. What it needs lies in the path's folder, and is gone afterwards.
 * @throws LocalizerError `denied` and the like when nothing can be made in that folder
 */
export async function guardPath(path: string): Promise<AsyncDisposable | undefined> {
  const folder = dirname(path);
  const nonce = randomBytes(6).toString("base64url");
  const server = createServer((socket) => socket.on("error", () => {}).destroy());
  try {
    await bindUnixSocket(server, socketOf(folder, nonce));
    const name = await take(`${path}.lock`, { folder, nonce });
    if (name !== undefined) return { [Symbol.asyncDispose]: () => letGo(server, name) };
  } catch (error) {
    await letGo(server);
    throw LocalizerError.wrap(error, `Cannot guard "${path}"`, errnoOf(error) === "EACCES" ? "denied" : "internal");
  }
  await letGo(server);
  return undefined;
}

/** The file goes first: whose socket is gone counts as dead. */
async function letGo(server: ReturnType<typeof createServer>, name?: string): Promise<void> {
  if (!server.listening) return;
  if (name !== undefined) rmSync(name, { force: true });
  server.close();
  await once(server, "close");
}

interface Contender {
  readonly folder: string;
  readonly nonce: string;
}

/** Returns the name when it is ours; undefined when somebody who lives has it, or is about to. */
async function take(name: string, mine: Contender): Promise<string | undefined> {
  for (;;) {
    if (linked(name, mine)) return name;
    const holder = readHolder(name);
    if (holder === undefined) continue;
    if (isNonce(holder) && (await probeUnixSocket(socketOf(mine.folder, holder))) === "live") return undefined;
    const heir = await take(`${name}-after-${isNonce(holder) ? holder : "nobody"}`, mine);
    if (heir === undefined) return undefined;
    // Whoever had that one before may have finished.
    if (readHolder(name) !== holder) {
      rmSync(heir);
      continue;
    }
    renameSync(heir, name);
    if (isNonce(holder)) rmSync(socketOf(mine.folder, holder), { force: true });
    return name;
  }
}

/** False when there is something of that name already. */
function linked(name: string, { folder, nonce }: Contender): boolean {
  const draft = join(folder, `.${nonce}.lock`);
  try {
    writeFileSync(draft, nonce, { flag: "wx", mode: 0o600 });
    linkSync(draft, name);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** What the file says; undefined when there is none. */
function readHolder(name: string): string | undefined {
  try {
    // Neither a link to somebody else's file nor a pipe that never ends.
    const file = openSync(name, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      return readFileSync(file, "utf8");
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** A power cut may have left a file that says nothing. */
function isNonce(text: string): boolean {
  return /^[\w-]{8}$/.test(text);
}

/** Short, because a socket's path may not be long; the ending is that of the sockets that `cleanup` removes when dead. */
function socketOf(folder: string, nonce: string): string {
  return join(folder, `.${nonce}.sock`);
}
