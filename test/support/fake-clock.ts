/** A clock that stands still until a test moves it. */
import type { Clock } from "../../src/clock.ts";
import { LocalizerError, throwIfAborted } from "../../src/errors.ts";

interface Timer {
  readonly due: number;
  readonly run: () => void;
  readonly sleeping: boolean;
}

/** Time by hand. Starts at 1,000,000 ms since the epoch. */
export class FakeClock implements Clock {
  #now = 1_000_000;
  #sleptMs = 0;
  readonly #timers = new Set<Timer>();
  readonly #waiters = new Set<() => void>();

  now(): number {
    return this.#now + this.#sleptMs;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): Disposable {
    return this.#add(ms, run, false);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      throwIfAborted(signal);
      const onAbort = () => {
        timer[Symbol.dispose]();
        reject(new LocalizerError("aborted", "Stopped", { cause: signal?.reason }));
      };
      const wake = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const timer = this.#add(ms, wake, true);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** How long the sleepers still sleep, in ms, shortest first. */
  get sleeps(): readonly number[] {
    const sleepers = [...this.#timers].filter(({ sleeping }) => sleeping);
    return sleepers.map(({ due }) => due - this.#now).sort((a, b) => a - b);
  }

  /** Timers and sleepers that wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Resolves with the shortest sleep as soon as somebody sleeps. */
  async asleep(): Promise<number> {
    for (;;) {
      const [shortest] = this.sleeps;
      if (shortest !== undefined) return shortest;
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  /** The machine sleeps: the wall clock goes on, the monotonic clock and all timers stand still. */
  sleepOver(ms: number): void {
    this.#sleptMs += ms;
  }

  /** Moves the time, running what falls due in order, with a turn of the event loop after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.due);
      next.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#now = end;
  }

  #add(ms: number, run: () => void, sleeping: boolean): Disposable {
    const timer = { due: this.#now + ms, run, sleeping };
    this.#timers.add(timer);
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
    return { [Symbol.dispose]: () => this.#timers.delete(timer) };
  }
}
