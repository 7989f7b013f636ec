/** What the kernel says of processes that a test started (proc(5)). */
import { readdirSync, readFileSync } from "node:fs";

/** Who a process is, as it stands in /proc/<pid>/status. */
export interface ProcessStatus {
  readonly pid: number;
  readonly command: string;
  /** Real, effective, saved and file system user. */
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly groups: readonly number[];
  /** Capability sets as 64-bit masks. */
  readonly capabilities: { readonly effective: bigint; readonly permitted: bigint; readonly ambient: bigint };
}

/** All processes below one, parents before children. */
export function descendants(pid: number | undefined): readonly number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    const parent = /^\d+$/.test(entry) ? parentOf(Number(entry)) : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const found: number[] = [];
  const visit = (at: number) => {
    for (const child of children.get(at) ?? []) {
      found.push(child);
      visit(child);
    }
  };
  if (pid !== undefined) visit(pid);
  return found;
}

/** False for one that has ended, waited for or not. */
export function isAlive(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== undefined && !stat.startsWith("Z");
}

/** @throws the system's error when the process is gone */
export function processStatus(pid: number): ProcessStatus {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status)?.[1] ?? "";
  const numbers = (name: string) => field(name).split(/\s+/).filter(Boolean).map(Number);
  const mask = (name: string) => BigInt(`0x${field(name)}`);
  return {
    pid,
    command: readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim(),
    uids: numbers("Uid"),
    gids: numbers("Gid"),
    groups: numbers("Groups"),
    capabilities: { effective: mask("CapEff"), permitted: mask("CapPrm"), ambient: mask("CapAmb") },
  };
}

function parentOf(pid: number): number | undefined {
  const parent = statOf(pid)?.split(" ")[1];
  return parent === undefined ? undefined : Number(parent);
}

/** State, parent and what follows: all behind the command's name, which may hold anything. */
function statOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2);
  } catch {
    return undefined;
  }
}
