/**
 * More than one dial to the same place, where the first gets no answer: a packet that was lost is repeated by the kernel only
 * after 1, 3 and 7 s, and on a line that has just come back the next dial comes through at once.
 */
import type { Clock } from "../clock.ts";
import { LocalizerError, throwIfAborted } from "../errors.ts";

/** Between two dials. */
const nextAfterMs = 2_000;

/** At once, at most. */
const mostDials = 3;

/** How it is done. */
export interface RaceOptions<T> {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** For what comes of a dial that has lost. */
  readonly discard: (late: T) => void;
}

/**
 * The result of the first dial that succeeds; the others are aborted. A dial that fails while others are under way says
 * nothing yet.
 * @param dial ends with its signal
 * @throws the failure of the last that failed; `aborted` or the signal's reason when it fires
 */
export async function raceDials<T>(
  dial: (signal: AbortSignal) => Promise<T>,
  { clock, signal, discard }: RaceOptions<T>,
): Promise<T> {
  throwIfAborted(signal);
  const over = new AbortController();
  const limited = AbortSignal.any([signal, over.signal]);
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let dials = 0;
  let underWay = 0;
  let isWon = false;
  let timer: Disposable | undefined;
  const start = () => {
    dials++;
    underWay++;
    timer = dials < mostDials ? clock.after(nextAfterMs, start) : undefined;
    dial(limited).then(
      (result) => {
        if (isWon || over.signal.aborted) return discard(result);
        isWon = true;
        resolve(result);
      },
      (error) => {
        if (--underWay === 0) reject(error);
      },
    );
  };
  const onAbort = () => reject(LocalizerError.from(signal.reason, "aborted"));
  signal.addEventListener("abort", onAbort, { once: true });
  start();
  try {
    return await promise;
  } finally {
    timer?.[Symbol.dispose]();
    signal.removeEventListener("abort", onAbort);
    over.abort();
  }
}
