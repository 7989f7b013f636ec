/** Sending a request again when the first certainly did nothing. */
import { backoffMs } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import { mayRepeat } from "./api-stream.ts";

/** A load balancer needs a moment to stop sending us to a server that shuts down. */
const waits = { baseMs: 100, factor: 2, capMs: 1_000 } as const;
const maxRepeats = 4;

/**
 * Does the work, and again if it broke off: once at once, if that is harmless or the server did not act on it, and
 * some times more, after short waits, as long as servers take nothing. The signal ends the waits too.
 */
export async function repeatLost<T>(
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  isHarmless: boolean,
  work: () => Promise<T>,
): Promise<T> {
  for (let repeats = 0; ; repeats++) {
    try {
      return await work();
    } catch (error) {
      const mayAgain = mayRepeat(error, isHarmless && repeats === 0);
      if (signal.aborted || repeats === maxRepeats || !mayAgain) throw error;
    }
    if (repeats > 0) await clock.sleep(backoffMs(repeats - 1, waits), signal);
  }
}
