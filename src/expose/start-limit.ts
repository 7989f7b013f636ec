/** How long a start may take, as a signal: time that goes by for something else than the start does not count. Used by session. */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";

/** Fires with a `timeout` once it has run for so long in all. At first it does not run. */
export class StartLimit {
  readonly #clock: Clock;
  readonly #sentence: string;
  readonly #over = new AbortController();
  #leftMs: number;
  #running: { readonly sinceMs: number; readonly timer: Disposable } | undefined;

  /** @param sentence what has happened then */
  constructor(clock: Clock, ms: number, sentence: string) {
    this.#clock = clock;
    this.#leftMs = ms;
    this.#sentence = sentence;
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Runs until what is returned is disposed. */
  run(): Disposable {
    this.#go();
    return { [Symbol.dispose]: () => this.#halt() };
  }

  /** Stands still while the work lasts. Gives and throws what that does. */
  async without<T>(work: () => Promise<T>): Promise<T> {
    this.#halt();
    try {
      return await work();
    } finally {
      this.#go();
    }
  }

  #go(): void {
    const sinceMs = this.#clock.monotonic();
    const timer = this.#clock.after(this.#leftMs, () =>
      this.#over.abort(new LocalizerError("timeout", this.#sentence)),
    );
    this.#running = { sinceMs, timer };
  }

  #halt(): void {
    if (this.#running === undefined) return;
    const { sinceMs, timer } = this.#running;
    timer[Symbol.dispose]();
    this.#leftMs = Math.max(0, this.#leftMs - (this.#clock.monotonic() - sinceMs));
    this.#running = undefined;
  }
}
