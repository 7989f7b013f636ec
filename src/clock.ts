/**
 * Time as an argument: what now is, and waiting. The only place in src that starts a timer, so
 * that tests can step time by hand. Promises that an aborted wait leaves no timer behind.
 */
import { LocalizerError, throwIfAborted } from "./errors.ts";

/** What setTimeout can wait, some 24.8 days; beyond it fires at once. */
const maxTimerMs = 2 ** 31 - 1;

/** The time, and ways to wait for it. No wait is longer than 24.8 days: one that should be ends then. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds on a clock that never jumps, from an arbitrary start. */
  monotonic(): number;
  /** Resolves after `ms`; throws `aborted` as soon as the signal fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `run` once after `ms`, unless disposed before. Does not keep the process alive. */
  after(ms: number, run: () => void): Disposable;
}

/** The real one. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep,
  after(ms, run) {
    const timer = setTimeout(run, Math.min(ms, maxTimerMs));
    timer.unref();
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

/**
 * Runs `work` with a signal that fires after `timeoutMs` or with the caller's own.
 * @throws LocalizerError `timeout` with `action` in its sentence when the time was up first
 */
export async function withTimeout<T>(
  clock: Clock,
  options: { action: string; timeoutMs: number; signal?: AbortSignal | undefined },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  throwIfAborted(options.signal);
  const controller = new AbortController();
  let timeUp: LocalizerError | undefined;
  using _timer = clock.after(options.timeoutMs, () => {
    timeUp = new LocalizerError("timeout", `${options.action}: no answer within ${options.timeoutMs} ms`);
    controller.abort(timeUp);
  });
  // AbortSignal.any would do the same at ten times the cost, and this stands in the way of every connection.
  const onAbort = () => controller.abort(options.signal?.reason);
  options.signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await work(controller.signal);
  } catch (error) {
    if (timeUp !== undefined && !options.signal?.aborted) throw timeUp;
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
  }
}

/** For long work in slices: whatever has come in meanwhile goes first. No wait, so real in tests, too. */
export function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * The promise's outcome, for work that takes no signal itself, unless the signal fires first. Leaves no listener behind.
 * @throws LocalizerError `aborted` as soon as it does
 */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    throwIfAborted(signal);
    const stop = () => reject(new LocalizerError("aborted", "Stopped", { cause: signal.reason }));
    signal.addEventListener("abort", stop, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** Resolves when the signal fires, at once when it has; never rejects. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    throwIfAborted(signal);
    const onAbort = () => {
      clearTimeout(timer);
      reject(new LocalizerError("aborted", "Stopped", { cause: signal?.reason }));
    };
    const timer = setTimeout(
      () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      },
      Math.min(ms, maxTimerMs),
    );
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
