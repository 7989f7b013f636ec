/** Wakes one who sleeps, for whatever reason. */
import type { Clock } from "../clock.ts";

/** A bell that remembers being rung: a wait that begins afterwards ends at once. */
export class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  readonly ring = (): void => {
    this.#rung = true;
    this.#wake?.();
  };

  /** Until it is rung, the time is over, or the signal fires; never rejects. One waits at a time. */
  async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    const woken = Promise.withResolvers<void>();
    this.#wake = woken.resolve;
    if (this.#rung || signal.aborted) woken.resolve();
    using _timer = clock.after(ms, woken.resolve);
    signal.addEventListener("abort", this.ring, { once: true });
    await woken.promise;
    signal.removeEventListener("abort", this.ring);
    this.#wake = undefined;
    this.#rung = false;
  }
}
