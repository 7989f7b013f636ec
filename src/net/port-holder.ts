/**
 * Says which program holds a port that could not be bound, on Linux, as far as this user may see it. Promises little
 * work: only when asked, one look for all who ask within a few seconds, and never a blocking one.
 */
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { ListenAddress } from "./listen.ts";
import { type ListeningSocket, listeningSockets, socketInTheWay } from "./listening-sockets.ts";
import { isLocalizer, programName } from "./program-name.ts";

/** What was seen is good for so long. */
const freshMs = 3_000;

/** What was not seen is looked for again after so long. */
const againMs = 500;

/** Looking through all processes may take so long; then the user who made the socket has to do. */
const searchMs = 1_000;

/** Descriptors of a process that are looked at together: enough to be quick, few enough to leave threads to others. */
const atOnce = 32;

/** A name that a program gave itself is shown up to here. */
const maxNameLength = 60;

/** The end of a sentence about a taken port ("taken by ..."); undefined when it cannot be known. Never rejects. */
export type WhoHolds = (at: ListenAddress) => Promise<string | undefined>;

/** What it takes; tests have a /proc of their own. */
export interface PortHolderOptions {
  readonly clock: Clock;
  readonly platform?: NodeJS.Platform;
  readonly proc?: string;
}

/** Who it is: this process, another one of localizer, or any other program. */
export interface Program {
  readonly pid: string;
  readonly name: string;
  readonly kind: "this" | "localizer" | "other";
}

/** What was seen at one look. Processes are looked through only when somebody asks for one. */
interface Look {
  readonly sockets: readonly ListeningSocket[];
  readonly pidOf: (socket: ListeningSocket) => Promise<string | undefined>;
}

/** Makes the one who knows. */
export function portHolders({ clock, platform = process.platform, proc = "/proc" }: PortHolderOptions): WhoHolds {
  if (platform !== "linux") return async () => undefined;
  let last: { readonly atMs: number; readonly seen: Promise<Look> } | undefined;

  // Another user's localizer may hold a thousand ports that this one wants: all share one look.
  const look = (maxAgeMs: number): Promise<Look> => {
    const now = clock.monotonic();
    if (last !== undefined && now - last.atMs < maxAgeMs) return last.seen;
    const before = last?.seen.then(() => {}) ?? Promise.resolve();
    last = { atMs: now, seen: before.then(() => lookAround(clock, proc)) };
    return last.seen;
  };

  return async (at) => {
    for (const maxAgeMs of [freshMs, againMs]) {
      const { sockets, pidOf } = await look(maxAgeMs);
      const socket = socketInTheWay(sockets, at);
      if (socket === undefined) continue;
      const pid = await pidOf(socket);
      return holderSentence(socket, pid === undefined ? undefined : await programOf(proc, pid), at);
    }
    return undefined;
  };
}

/** Who it is and, when it listens on all addresses, what makes room. Pure. */
export function holderSentence(socket: ListeningSocket, program: Program | undefined, at: ListenAddress): string {
  const who = program === undefined ? `a program of user ${socket.uid}` : whoIs(program);
  if (socket.address === at.address) return `taken by ${who}`;
  const where = socket.address === "::" ? `[::]:${at.port}` : `${socket.address}:${at.port}`;
  return `taken by ${who}, which listens on ${where}: bind it to 127.0.0.1 to have both`;
}

function whoIs({ kind, name, pid }: Program): string {
  switch (kind) {
    case "this":
      return "this localizer";
    case "localizer":
      return `another localizer (process ${pid})`;
    case "other":
      return `"${name}" (process ${pid})`;
    default:
      return kind satisfies never;
  }
}

async function lookAround(clock: Clock, proc: string): Promise<Look> {
  // A kernel without IPv6 has no second table.
  const tables = ["tcp", "tcp6"].map((name) => readFile(join(proc, "net", name), "utf8").catch(() => ""));
  const sockets = (await Promise.all(tables)).flatMap(listeningSockets);
  let pids: Promise<ReadonlyMap<string, string>> | undefined;
  const pidOf = async ({ inode }: ListeningSocket) => {
    const deadline = clock.monotonic() + searchMs;
    pids ??= socketOwners(proc, () => clock.monotonic() > deadline);
    return (await pids).get(inode);
  };
  return { sockets, pidOf };
}

/** By inode of a socket the oldest process that has it open, of those that may be looked into; this process comes last. */
async function socketOwners(proc: string, isLate: () => boolean): Promise<ReadonlyMap<string, string>> {
  const owners = new Map<string, string>();
  const names = await readdir(proc).catch((): string[] => []);
  const own = String(process.pid);
  const pids = names.filter((name) => /^\d+$/.test(name) && name !== own).sort((a, b) => Number(a) - Number(b));
  for (const pid of names.includes(own) ? [...pids, own] : pids) {
    const folder = join(proc, pid, "fd");
    // Another user's, or over by now.
    const descriptors = await readdir(folder).catch((): string[] => []);
    for (let from = 0; from < descriptors.length && !isLate(); from += atOnce) {
      const some = descriptors.slice(from, from + atOnce);
      for (const link of await Promise.all(some.map((name) => readlink(join(folder, name)).catch(() => "")))) {
        const [, inode] = /^socket:\[(\d+)\]$/.exec(link) ?? [];
        if (inode !== undefined && !owners.has(inode)) owners.set(inode, pid);
      }
    }
    if (isLate()) break;
  }
  return owners;
}

/** The command's name: Node calls its main thread "MainThread", so the thread's name (comm) is second choice. */
async function programOf(proc: string, pid: string): Promise<Program> {
  const read = (file: string) => readFile(join(proc, pid, file), "utf8").catch(() => "");
  const argv = (await read("cmdline")).split("\0");
  const name = printable(programName(argv)) || printable(await read("comm")) || "unknown";
  const kind = pid === String(process.pid) ? "this" : isLocalizer(argv) ? "localizer" : "other";
  return { pid, name, kind };
}

/** A program may call itself anything; a terminal or a log shall not be led astray by it. */
function printable(name: string): string {
  return name
    .replaceAll(/[^\p{L}\p{N}\p{P}\p{S} ]|"/gu, "")
    .trim()
    .slice(0, maxNameLength);
}
