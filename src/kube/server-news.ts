/** Word among all who wait for one API server that it answers again. */
import type { Clock } from "../clock.ts";

/** Those who hear of it ask within this time, not all at once. */
const spreadMs = 200;

/** Shared by whoever has the same client. */
export class ServerNews {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #waiters = new Set<() => void>();

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** The server has answered. */
  answers(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  /** Waits for `ms`, or for word that the server answers and a moment. Throws `aborted` when the signal fires. */
  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    const end = this.#clock.monotonic() + ms;
    const word = new AbortController();
    const wake = () => word.abort();
    this.#waiters.add(wake);
    try {
      await this.#clock.sleep(ms, AbortSignal.any([signal, word.signal]));
    } catch (error) {
      if (!word.signal.aborted || signal.aborted) throw error;
      const left = Math.max(0, end - this.#clock.monotonic());
      await this.#clock.sleep(Math.min(left, spreadMs * this.#random()), signal);
    } finally {
      this.#waiters.delete(wake);
    }
  }
}
