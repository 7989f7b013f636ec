/** What nobody waits for and must come to pass all the same, tried now and then for as long as the daemon lives. */
import { type BackoffOptions, backoffMs } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";

/** From seconds to minutes: somebody may have to log in again, or to mend an admission webhook. */
const pace: BackoffOptions = { baseMs: 2_000, factor: 2, capMs: 180_000 };

/** Disposing ends what is under way, and waits for that. */
export class Retries implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #over = new AbortController();
  /** By name. */
  readonly #running = new Map<string, Promise<void>>();

  constructor({ clock, random = Math.random }: { readonly clock: Clock; readonly random?: () => number }) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Runs `work` in a while, or at once, and again ever more seldom until it gives true. Does nothing while work of that name is being
   * tried. Work must not reject.
   */
  start(name: string, work: (signal: AbortSignal) => Promise<boolean>, { atOnce = false } = {}): void {
    if (this.#over.signal.aborted || this.#running.has(name)) return;
    this.#running.set(
      name,
      this.#run(work, atOnce).finally(() => this.#running.delete(name)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort(new LocalizerError("aborted", "Stopped"));
    await Promise.all(this.#running.values());
  }

  async #run(work: (signal: AbortSignal) => Promise<boolean>, atOnce: boolean): Promise<void> {
    const { signal } = this.#over;
    if (atOnce && (await work(signal))) return;
    for (let attempt = 0; ; attempt++) {
      // Only disposal ends it.
      await this.#clock.sleep(backoffMs(attempt, pace, this.#random), signal).catch(() => {});
      if (signal.aborted || (await work(signal))) return;
    }
  }
}
