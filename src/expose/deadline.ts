/** The end of somebody's patience, as a signal. */
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
