/**
 * Waiting for something outside this process to become true, by asking again and again.
 */
import { setTimeout as sleep } from "node:timers/promises";

/**
 * A wait may last so many times its limit, which is for a quiet machine: suites run side by side, and a machine may be a quarter as
 * fast as another. One that is not in vain takes no longer for it.
 */
const patience = 4;

/** How long to wait and how often to ask. */
export interface WaitOptions {
  /** On a quiet machine. */
  readonly timeoutMs: number;
  /** Not longer than that, whatever the machine: the time is what is looked at, or a wait in vain is no failure. */
  readonly isExact?: boolean;
  readonly intervalMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks `probe` until it returns something other than undefined or false, and returns that.
 * A probe that throws has its error kept as the cause; when the time is over an error names `what`.
 */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  { timeoutMs, isExact = false, intervalMs = 100, signal }: WaitOptions,
): Promise<T> {
  const limitMs = isExact ? timeoutMs : patience * timeoutMs;
  const deadline = performance.now() + limitMs;
  let cause: unknown;
  for (;;) {
    signal?.throwIfAborted();
    try {
      const result = await probe();
      if (result !== undefined && result !== false) return result;
      cause = undefined;
    } catch (error) {
      if (error instanceof FinalError) throw error;
      cause = error;
    }
    if (performance.now() >= deadline) {
      const detail = cause instanceof Error ? `: ${cause.message}` : "";
      throw new Error(`Waited ${limitMs / 1000} s in vain for ${what}${detail}`, { cause });
    }
    await sleep(intervalMs, undefined, { signal });
  }
}

/** Thrown by a probe when waiting longer is pointless; `waitFor` passes it on at once. */
export class FinalError extends Error {
  override readonly name = "FinalError";
}

/**
 * Runs tasks at the same time. When one fails the signal of the others is aborted; either way all
 * have ended when this returns or throws, with the first error.
 */
export async function together(
  signal: AbortSignal | undefined,
  tasks: readonly ((signal: AbortSignal) => Promise<unknown>)[],
): Promise<void> {
  const failed = new AbortController();
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const run = async (task: (signal: AbortSignal) => Promise<unknown>) => {
    try {
      await task(either);
    } catch (error) {
      failed.abort(error);
    }
  };
  await Promise.all(tasks.map(run));
  if (failed.signal.aborted) throw failed.signal.reason;
}
