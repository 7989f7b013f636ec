/** Work that may be asked for again while it runs. */
import { aborted } from "../clock.ts";
import { LocalizerError } from "../errors.ts";

interface Turn {
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** Promises that one runs at a time, that the latest who asks has the turn, and that the earlier ones end as his does. */
export class LatestTurn {
  #latest: Turn | undefined;
  #running = 0;

  /** Nobody is at it. */
  get isIdle(): boolean {
    return this.#running === 0;
  }

  /**
   * Ends who is at it, and runs. Throws as the work of whoever has the turn in the end; but waits for somebody else's no longer than
   * until its own signal fires, and then throws why that did.
   */
  async take(signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#latest?.stop.abort(new LocalizerError("aborted", "It was asked for once more"));
    const stop = new AbortController();
    const limited = AbortSignal.any([signal, stop.signal]);
    const mine = { stop, ended: this.#after(this.#latest?.ended, () => work(limited)) };
    this.#latest = mine;
    for (let latest: Turn = mine; ; latest = this.#latest) {
      try {
        // Its own work sees the signal itself, and is waited for.
        await (latest === mine ? latest.ended : Promise.race([latest.ended, givenUp(signal)]));
        return;
      } catch (error) {
        if (latest === this.#latest || (latest !== mine && signal.aborted)) throw error;
      }
    }
  }

  async #after(earlier: Promise<void> | undefined, work: () => Promise<void>): Promise<void> {
    this.#running++;
    try {
      await earlier?.catch(() => {});
      await work();
    } finally {
      this.#running--;
    }
  }
}

async function givenUp(signal: AbortSignal): Promise<never> {
  await aborted(signal);
  throw LocalizerError.from(signal.reason);
}
