/** Which process it is, beyond its pid: pids come back, a start time within a boot does not. */
import { readFile, readlink } from "node:fs/promises";
import { errnoOf } from "../errors.ts";
import type { BlockOwner } from "../hostsfile/block.ts";

/** A process that can be told from a later one with the same pid. */
export type ProcessIdentity = Omit<BlockOwner, "instance">;

// Where there is no /proc (macOS), only the pid is known.
const unknown = "unknown";

/** Who the process with this pid is, or undefined when there is none. */
export async function processIdentity(pid: number): Promise<ProcessIdentity | undefined> {
  const startTime = await startTimeOf(pid);
  if (startTime === undefined) return undefined;
  const identity = { pid, startTime, bootId: await bootId() };
  const pidNamespace = await ownPidNamespace();
  return pidNamespace === undefined ? identity : { ...identity, pidNamespace };
}

/**
 * Says whether that very process still runs. A zombie does not. One of another container's counts as running until the next
 * boot, for nobody here can see it.
 */
export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  if (await isForeign(identity)) return true;
  const now = await processIdentity(identity.pid);
  return now !== undefined && now.startTime === identity.startTime && now.bootId === identity.bootId;
}

/** Says whether its pid counts elsewhere on this machine: in another container. What does not say so is of here. */
export async function isForeign({ bootId: boot, pidNamespace }: ProcessIdentity): Promise<boolean> {
  const here = await ownPidNamespace();
  if (pidNamespace === undefined || here === undefined || pidNamespace === here) return false;
  return boot === (await bootId());
}

/** Says whether both are the same process. Pure. */
export function isSameProcess(a: ProcessIdentity, b: ProcessIdentity): boolean {
  const isSamePid = a.pid === b.pid && a.pidNamespace === b.pidNamespace;
  return isSamePid && a.startTime === b.startTime && a.bootId === b.bootId;
}

async function startTimeOf(pid: number): Promise<string | undefined> {
  if (process.platform !== "linux") return answersSignals(pid) ? unknown : undefined;
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => undefined);
  // proc_pid_stat(5): the command, field 2, may hold spaces and parentheses; state is field 3, the start time field 22.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields?.[0] === "Z" ? undefined : fields?.[19];
}

async function bootId(): Promise<string> {
  const id = await readFile("/proc/sys/kernel/random/boot_id", "latin1").catch(() => unknown);
  return id.trim();
}

/** namespaces(7): the link reads `pid:[4026531836]`. */
async function ownPidNamespace(): Promise<string | undefined> {
  const link = await readlink("/proc/self/ns/pid").catch(() => "");
  return /^pid:\[(\d{1,20})\]$/.exec(link)?.[1];
}

function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === "EPERM";
  }
}
