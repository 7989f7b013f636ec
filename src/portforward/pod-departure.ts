/**
 * What becomes of the streams to a pod that has left. One that is deleted while the runtime takes its network down may leave
 * streams of which nothing more is ever said: the runtime connects to a port in a network that is no more, for two minutes,
 * and answers pings meanwhile. But a pod leaves its Services for other reasons, too, and an application may be slow: only
 * when the pod is known to be gone, for good, are streams reset on which nothing moves. Used by pod-pool.
 */
import type { Clock } from "../clock.ts";
import { codeOf } from "../errors.ts";
import type { PoolMembers } from "./pool-members.ts";
import type { PoolOptions } from "./pool-options.ts";

/** What it works with. */
export interface PodDepartureParts {
  readonly clock: Clock;
  readonly members: Pick<PoolMembers, "all">;
  /** Makes one more connection to the pod, by its name. Rejects with the code `gone` when there is no such pod. */
  readonly ask: () => Promise<AsyncDisposable>;
  readonly options: Pick<PoolOptions, "goneMs" | "askGoneMs" | "askGoneMostMs">;
}

/** Of one pod. */
export class PodDeparture {
  readonly #parts: PodDepartureParts;
  #isGone = false;
  #isAsking = false;
  #pauseMs: number;
  #askAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: PodDepartureParts) {
    this.#parts = parts;
    this.#pauseMs = parts.options.askGoneMs;
  }

  /** An answer is still to come. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** It is known that the pod will not come back. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** The pod is known to be gone: there is none of its name, or another one. */
  confirm(): void {
    this.#isGone = true;
  }

  /** To be called every second or so once the pod has left: resets what nothing moves on, and asks first if it must. */
  look(): void {
    const { clock, members, options } = this.#parts;
    const now = clock.monotonic();
    const sinceMs = now - options.goneMs;
    const still = members.all.filter(({ connection }) => connection.hasStillSince(sinceMs));
    if (still.length === 0) return;
    if (this.#isGone) for (const { connection } of still) connection.breakOffStill(sinceMs, "the pod is gone");
    else if (!this.#isAsking && now >= this.#askAtMs) void this.#ask();
  }

  async #ask(): Promise<void> {
    const { ask, clock, options } = this.#parts;
    this.#isAsking = true;
    try {
      // A pod is there. It may be another of the same name: who dials that one knows.
      await (await ask())[Symbol.asyncDispose]();
    } catch (error) {
      this.#isGone ||= codeOf(error) === "gone";
    }
    this.#isAsking = false;
    this.#askAtMs = clock.monotonic() + this.#pauseMs;
    this.#pauseMs = Math.min(2 * this.#pauseMs, options.askGoneMostMs);
    if (this.#isGone) this.look();
  }
}
