/**
 * Processes that outlive the program that started them, known by a file. A file holds pid and
 * start time, so that a pid which the kernel has given to somebody else is never signalled.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { waitFor } from "./wait.ts";

/** One process for as long as the machine is up. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, as /proc/PID/stat has it. */
  readonly startTime: string;
}

/** Where a detached process writes, and how it is found again. */
export interface DetachedOptions {
  readonly logFile: string;
  readonly pidFile: string;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

/** Starts a command in a session of its own and writes its pid file. Resolves once it is running. */
export async function startDetached(
  [command = "", ...args]: readonly string[],
  { logFile, pidFile, env, cwd }: DetachedOptions,
): Promise<ProcessIdentity> {
  const log = openSync(logFile, "a");
  try {
    const child = spawn(command, args, { detached: true, stdio: ["ignore", log, log], env, cwd });
    await once(child, "spawn");
    child.unref();
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (identity === undefined) throw new Error(`Cannot start "${command}": it ended at once, see ${logFile}`);
    await writeFile(`${pidFile}.new`, JSON.stringify(identity));
    await rename(`${pidFile}.new`, pidFile);
    return identity;
  } finally {
    closeSync(log);
  }
}

/** Names the process that has this pid now; undefined when there is none or only its exit code is left. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command name stands in brackets and may hold anything; state and start time are fields 3 and 22.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, startTime] = [fields[0], fields[19]];
    return state === "Z" || state === "X" || startTime === undefined ? undefined : { pid, startTime };
  } catch {
    return undefined;
  }
}

/** Says whether this very process still runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTime === identity.startTime;
}

/** Reads a pid file; undefined when it is missing, unreadable or its process has ended. */
export function readPidFile(pidFile: string): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(pidFile, "utf8"));
    if (typeof value !== "object" || value === null || !("pid" in value) || !("startTime" in value)) return undefined;
    const { pid, startTime } = value;
    if (typeof pid !== "number" || typeof startTime !== "string") return undefined;
    return isAlive({ pid, startTime }) ? { pid, startTime } : undefined;
  } catch {
    return undefined;
  }
}

/** Signals a process if it still is the one meant. Says whether it was. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch {
    return false; // It ended between the two calls.
  }
}

/** Asks processes to end, gives them `graceMs`, then kills what is left. Resolves when all are gone. */
export async function stopProcesses(identities: readonly ProcessIdentity[], graceMs: number): Promise<void> {
  const allGone = () => !identities.some(isAlive);
  if (graceMs > 0) {
    for (const identity of identities) signalProcess(identity, "SIGTERM");
    try {
      await waitFor("processes to end", allGone, { timeoutMs: graceMs, isExact: true, intervalMs: 20 });
      return;
    } catch {
      // Too slow: killed below.
    }
  }
  for (const identity of identities) signalProcess(identity, "SIGKILL");
  await waitFor("killed processes to go away", allGone, { timeoutMs: 5000, intervalMs: 20 });
}
