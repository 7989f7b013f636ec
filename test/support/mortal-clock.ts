/** The time of somebody who may die in the middle of his work: what he waits for never comes then. */
import { type Clock, systemClock } from "../../src/clock.ts";

/** The system's, until it is disposed: then no sleep keeps the process, or ends, and nothing is called any more. */
export class MortalClock implements Clock, Disposable {
  readonly #death = new AbortController();

  now(): number {
    return systemClock.now();
  }

  monotonic(): number {
    return systemClock.monotonic();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const death = this.#death.signal;
    try {
      await systemClock.sleep(ms, signal === undefined ? death : AbortSignal.any([signal, death]));
    } catch (error) {
      if (death.aborted && signal?.aborted !== true) await new Promise<never>(() => {});
      throw error;
    }
  }

  after(ms: number, run: () => void): Disposable {
    return systemClock.after(ms, () => {
      if (!this.#death.signal.aborted) run();
    });
  }

  [Symbol.dispose](): void {
    this.#death.abort();
  }
}
