/** What processes use of the machine, as the kernel counts it. A process that has ended counts as nothing. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { numberOf, parseStat, parseTcp } from "./proc-format.ts";

/** Memory and descriptors of some processes together. */
export interface Footprint {
  /** Proportional: what processes share is divided among them. */
  readonly pssMiB: number;
  readonly rssMiB: number;
  readonly descriptors: number;
}

/** A process and all that descend from it, itself first. */
export function processTree(root: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const parent = Number.isInteger(pid) ? parseStat(procText(pid, "stat"))?.parent : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/** User and system time so far, in steps of 10 ms. */
export function cpuSeconds(pids: readonly number[]): number {
  return sum(pids, (pid) => parseStat(procText(pid, "stat"))?.cpuSeconds ?? 0);
}

/** How many bytes a process has read by read(2), from sockets too. */
export function bytesRead(pid: number): number {
  return numberOf(procText(pid, "io"), "rchar");
}

/** Of these processes together. */
export function footprint(pids: readonly number[]): Footprint {
  const kibibytes = (name: string) => sum(pids, (pid) => numberOf(procText(pid, "smaps_rollup"), name));
  return {
    pssMiB: kibibytes("Pss") / 1024,
    rssMiB: kibibytes("Rss") / 1024,
    descriptors: sum(pids, (pid) => descriptors(pid).length),
  };
}

/** TCP connections of these processes to one far end, as "198.18.0.2:6443": the inode of each, which no later one has. */
export function connectionsTo(pids: readonly number[], remote: string): ReadonlySet<string> {
  const inodes = pids.flatMap((pid) => {
    const entries = parseTcp(procText(pid, "net/tcp")).filter((entry) => entry.remote === remote);
    const own = new Set(entries.length === 0 ? [] : descriptors(pid));
    return entries.map(({ inode }) => inode).filter((inode) => own.has(`socket:[${inode}]`));
  });
  return new Set(inodes);
}

/** What each descriptor is, in the form of the links in /proc/PID/fd. */
function descriptors(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => link(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // Closed between the two calls.
  }
}

function procText(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + of(pid), 0);
}
