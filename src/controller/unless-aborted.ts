/** Waiting for what takes no signal itself. */
import { LocalizerError, throwIfAborted } from "../errors.ts";

/**
 * The promise's outcome, unless the signal fires first.
 * @throws LocalizerError `aborted` as soon as it does
 */
export function unlessAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    throwIfAborted(signal);
    const stop = () => reject(new LocalizerError("aborted", "Stopped", { cause: signal.reason }));
    signal.addEventListener("abort", stop, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
