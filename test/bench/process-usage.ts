/** What processes use of the machine, as the kernel counts it. A process that has ended counts as nothing. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { numberOf, parseStat, parseTcp } from "./proc-format.ts";

/** Memory, descriptors and connections of some processes together. */
export interface Footprint {
  /** Proportional: what processes share is divided among them. */
  readonly pssMiB: number;
  readonly rssMiB: number;
  readonly descriptors: number;
  /** TCP connections to one place. */
  readonly connections: number;
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

/** `remote` is address and port of the far end whose connections are counted. */
export function footprint(pids: readonly number[], remote: string): Footprint {
  const kibibytes = (name: string) => sum(pids, (pid) => numberOf(procText(pid, "smaps_rollup"), name));
  return {
    pssMiB: kibibytes("Pss") / 1024,
    rssMiB: kibibytes("Rss") / 1024,
    descriptors: sum(pids, (pid) => descriptors(pid).length),
    connections: sum(pids, (pid) => connectionsTo(pid, remote)),
  };
}

function connectionsTo(pid: number, remote: string): number {
  const own = new Set(descriptors(pid));
  const entries = parseTcp(procText(pid, "net/tcp"));
  return entries.filter((entry) => entry.remote === remote && own.has(`socket:[${entry.inode}]`)).length;
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
