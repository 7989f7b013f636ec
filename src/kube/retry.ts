/** When to try again after a failure: back-off with a memory of how well it went in between. */
import { type BackoffOptions, backoffMs } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import { apiStatusOf } from "./api-status.ts";

/** Settings of a retry. */
export interface RetryOptions extends BackoffOptions {
  /** After so long without a failure the next one counts as the first. */
  readonly healthyMs: number;
}

/** As client-go's reflector: 0.8 s × 2 up to 30 s, forgotten after two good minutes. */
export const reflectorRetry: RetryOptions = { baseMs: 800, factor: 2, capMs: 30_000, healthyMs: 120_000 };

/** Counts failures of one task and says how long to wait after each. */
export class Retry {
  readonly #clock: Clock;
  readonly #options: RetryOptions;
  readonly #random: () => number;
  #failures = 0;
  #workingSince: number | undefined;

  constructor(clock: Clock, options: RetryOptions, random: () => number) {
    this.#clock = clock;
    this.#options = options;
    this.#random = random;
  }

  /** Failures since the last healthy time. */
  get failures(): number {
    return this.#failures;
  }

  /** It works, as of now. Called again and again it means the same. */
  working(): void {
    this.#workingSince ??= this.#clock.monotonic();
  }

  /** It was cut off while it worked, which is no failure. Gives the wait in ms before the next try. */
  interrupted(): number {
    return backoffMs(0, this.#options, this.#random);
  }

  /** It failed. Gives the wait in ms before the next try: the back-off, or what the server asked for if that is more. */
  failed(error: unknown): number {
    const since = this.#workingSince;
    this.#workingSince = undefined;
    if (since !== undefined && this.#clock.monotonic() - since >= this.#options.healthyMs) this.#failures = 0;
    const wait = backoffMs(this.#failures, this.#options, this.#random);
    this.#failures++;
    return Math.max(wait, apiStatusOf(error)?.retryAfterMs ?? 0);
  }
}
