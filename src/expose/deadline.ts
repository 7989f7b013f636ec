/** The end of somebody's patience, as a signal, and as an error that says so. */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";

/** Fires after `ms`, with a `timeout` that says what took so long; disposing it takes it back. */
export function deadline(clock: Clock, ms: number, action: string): { readonly signal: AbortSignal } & Disposable {
  const over = new AbortController();
  const timer = clock.after(ms, () => {
    over.abort(new LocalizerError("timeout", `${action}: it took longer than ${Math.round(ms / 1_000)} s`));
  });
  return { signal: over.signal, [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

/**
 * What to say of a failure: when a deadline has fired the signal that is its own sentence, with what was tried last, in place of the
 * "Stopped" that it has led to. Any other failure as it is. May be asked twice.
 */
export function deadlineError(thrown: unknown, signal: AbortSignal): LocalizerError {
  const error = LocalizerError.from(thrown);
  const late: unknown = signal.aborted ? signal.reason : undefined;
  if (!(late instanceof LocalizerError) || late.code !== "timeout") return error;
  if (error.code === "aborted") return late;
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) if (cause === late) return error;
  if (error.code !== "timeout" && error.code !== "unavailable") return error;
  return new LocalizerError("timeout", `${late.message}; ${error.message}`, { cause: late });
}
