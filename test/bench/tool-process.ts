/**
 * A program that runs while something is measured. It gets a process group of its own, so that Ctrl-C reaches the
 * bench alone, which then ends it in order; and its standard input ends with the bench, however that ends.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { identify, isAlive, type ProcessIdentity, stopProcesses } from "../cluster/detached-process.ts";
import { processTree } from "./process-usage.ts";

/** How a program is started. */
export interface ToolOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Picks the facts out of a line of standard output; undefined when the line has none. */
  readonly readLine: (line: string) => readonly string[] | undefined;
  /** So many lines with facts mean that it is ready. */
  readonly lines: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A program that is ready. Disposing ends it and all that it has started. */
export interface ToolProcess extends AsyncDisposable {
  readonly pid: number;
  /** False as soon as it has ended. */
  readonly isRunning: boolean;
  /** What the lines said, in their order. */
  readonly facts: readonly (readonly string[])[];
  /** It and all that descends from it. */
  readonly pids: readonly number[];
  /** Resolves when it has ended, or after so long. */
  endWithin(ms: number, signal: AbortSignal): Promise<void>;
  /** Sends SIGINT and waits for the end of it. Throws when it takes over 60 s. */
  interrupt(): Promise<void>;
}

const interruptTimeoutMs = 60_000;
const graceMs = 10_000;
const tailLength = 4_000;

/** Starts a program. Resolves when it is ready; throws, and nothing of it is left, when it ends or takes too long. */
export async function startTool(
  [command = "", ...args]: readonly string[],
  { env, readLine, lines, timeoutMs, signal }: ToolOptions,
): Promise<ToolProcess> {
  signal.throwIfAborted();
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], detached: true, env });
  const ready = Promise.withResolvers<void>();
  const exited = Promise.withResolvers<void>();
  const facts: (readonly string[])[] = [];
  let said = "";
  const fail = (reason: string) => ready.reject(new Error(`"${command}" ${reason}: ${said.trim()}`));
  child.on("error", (error) => {
    fail(`cannot be started (${error.message})`);
    exited.resolve();
  });
  child.on("exit", (code, by) => {
    fail(`ended with ${by ?? code}`);
    exited.resolve();
  });
  child.stdin.on("error", () => {});
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-tailLength);
    });
  }
  const reader = createInterface({ input: child.stdout }).on("line", (line) => {
    const fact = readLine(line);
    if (fact !== undefined) facts.push(fact);
    if (facts.length >= lines) ready.resolve();
  });
  const tool = toolProcess(child.pid, exited.promise, facts);
  const stop = () => ready.reject(signal.reason);
  const timer = setTimeout(() => fail(`is not ready after ${timeoutMs / 1000} s`), timeoutMs);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await ready.promise;
    reader.close();
    child.stdout.resume(); // kubectl has a line for every connection; from now on they are thrown away.
    return tool;
  } catch (error) {
    await tool[Symbol.asyncDispose]();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

function toolProcess(
  pid: number | undefined,
  exited: Promise<void>,
  facts: readonly (readonly string[])[],
): ToolProcess {
  const identity = pid === undefined ? undefined : identify(pid);
  const known = new Map<number, ProcessIdentity>();
  // Noted while they run: a child whose parent has ended can no longer be found through it.
  const tree = (): readonly number[] => {
    const pids = identity === undefined || identify(identity.pid) === undefined ? [] : processTree(identity.pid);
    for (const member of pids) {
      const found = identify(member);
      if (found !== undefined && !known.has(member)) known.set(member, found);
    }
    return pids;
  };
  return {
    pid: pid ?? 0,
    get isRunning() {
      return identity !== undefined && isAlive(identity);
    },
    facts,
    get pids() {
      return tree();
    },
    async endWithin(ms, signal) {
      const over = new AbortController();
      const until = AbortSignal.any([signal, over.signal]);
      await Promise.race([exited, sleep(ms, undefined, { signal: until })]).finally(() => over.abort());
    },
    async interrupt() {
      tree();
      if (identity !== undefined) process.kill(identity.pid, "SIGINT");
      const tooLong = Promise.withResolvers<never>();
      const late = () => tooLong.reject(new Error(`Process ${pid} has not ended after ${interruptTimeoutMs / 1000} s`));
      const timer = setTimeout(late, interruptTimeoutMs);
      try {
        await Promise.race([exited, tooLong.promise]);
      } finally {
        clearTimeout(timer);
      }
    },
    async [Symbol.asyncDispose]() {
      tree();
      if (identity !== undefined) await stopProcesses([identity], graceMs);
      await stopProcesses([...known.values()], 1_000);
    },
  };
}
