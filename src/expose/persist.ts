/** Goes on asking an API server that is away for a moment: a session must neither give up half-done nor leave half of it. */
import { type BackoffOptions, backoffMs } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import { codeOf, LocalizerError, throwIfAborted } from "../errors.ts";
import { apiStatusOf } from "../kube/api-status.ts";

/** How long, and who hears of it. */
export interface PersistOptions {
  /** Ends it, with the last failure. */
  readonly signal: AbortSignal;
  /** Told once, at the first failure. */
  readonly onTrouble?: (error: LocalizerError) => void;
}

const pace: BackoffOptions = { baseMs: 200, factor: 2, capMs: 5_000 };

/**
 * Runs it until it neither fails with `unavailable` nor `timeout`. What is run must bear being run twice, also after a first
 * time whose answer was lost.
 * @throws LocalizerError whatever else it throws; the last failure when the signal fires, `aborted` when there was none
 */
export async function persist<T>(
  { clock, random = Math.random }: { readonly clock: Clock; readonly random?: () => number },
  { signal, onTrouble }: PersistOptions,
  run: () => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    throwIfAborted(signal);
    try {
      return await run();
    } catch (thrown) {
      const error = LocalizerError.from(thrown);
      if (!isPassing(error)) throw error;
      if (attempt === 0) onTrouble?.(error);
      const wait = Math.max(backoffMs(attempt, pace, random), apiStatusOf(error)?.retryAfterMs ?? 0);
      await clock.sleep(wait, signal).catch(() => {
        throw error;
      });
    }
  }
}

function isPassing(error: LocalizerError): boolean {
  const code = codeOf(error);
  return code === "unavailable" || code === "timeout";
}
