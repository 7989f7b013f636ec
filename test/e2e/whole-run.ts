/** A localizer with all its processes at once: the helper that runs as root, and what it started. */
import { waitFor } from "../cluster/wait.ts";
import type { LocalizerRun } from "./localizer-run.ts";
import { descendants, isAlive } from "./processes.ts";

/** kill -9 for all of them, so that none notices the end of another. Resolves when they are gone. */
export async function killWhole(run: LocalizerRun): Promise<void> {
  const parts = signalWhole(run, "SIGSTOP");
  for (const pid of parts) process.kill(pid, "SIGKILL");
  await run.exited;
  await waitFor("all parts to end", () => !parts.some(isAlive), { timeoutMs: 5_000, intervalMs: 10 });
}

/** Stops the time for all of them, as a lid that is closed. Disposing lets them go on. */
export function freezeWhole(run: LocalizerRun): Disposable {
  let parts = signalWhole(run, "SIGSTOP");
  return {
    [Symbol.dispose]() {
      for (const pid of parts) if (isAlive(pid)) process.kill(pid, "SIGCONT");
      parts = [];
    },
  };
}

function signalWhole(run: LocalizerRun, signal: NodeJS.Signals): readonly number[] {
  const { pid } = run.child;
  if (pid === undefined) throw new Error("localizer was not started");
  const parts = [pid, ...descendants(pid)];
  for (const part of parts) process.kill(part, signal);
  return parts;
}
