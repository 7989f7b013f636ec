/**
 * How the API server takes what a credential plug-in gives. A plug-in that succeeds again and again with what is refused
 * again and again would be run for every 401, with a browser tab each time: only a credential that served starts afresh.
 * Used by exec-credentials.ts.
 */
import type { Clock } from "../clock.ts";

/** In use for so long without a 401, a credential has served. */
const servedMs = 60_000;
const firstBackoffMs = 5_000;
const maxBackoffMs = 5 * 60_000;

/** Counts credentials that were refused without having served. Told of every one that is made, used and refused. */
export class Acceptance {
  readonly #clock: Clock;
  #refusals = 0;
  #usedSince: number | undefined;
  /** The one of now is counted, however often it is refused. */
  #isCounted = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True from the first refusal of a fresh credential until one has served. */
  get isRefused(): boolean {
    if (this.#hasServed) this.#refusals = 0;
    return this.#refusals > 0;
  }

  /** A run gave a credential, perhaps the same one again. */
  made(): void {
    if (this.#hasServed) this.#refusals = 0;
    this.#usedSince = undefined;
    this.#isCounted = false;
  }

  /** It is handed out. */
  used(): void {
    this.#usedSince ??= this.#clock.monotonic();
  }

  /** The API server answered 401 to it. Gives how long, in ms, no run may follow: 0 when it had served, or is counted. */
  refused(): number {
    const hasServed = this.#hasServed;
    this.#usedSince = undefined;
    if (hasServed) this.#refusals = 0;
    if (this.#isCounted) return 0;
    this.#isCounted = true;
    return hasServed ? 0 : Math.min(maxBackoffMs, firstBackoffMs * 2 ** this.#refusals++);
  }

  get #hasServed(): boolean {
    return this.#usedSince !== undefined && this.#clock.monotonic() - this.#usedSince >= servedMs;
  }
}
