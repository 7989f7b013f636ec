/**
 * The dials to one pod: which are under way, which of them are worth waiting for, and whether the next has to pause.
 * Used by pod-pool.
 */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { PoolOptions } from "./pool-options.ts";
import type { SpdyConnection } from "./spdy-connection.ts";

/** How a dial ended. */
export type Dialled = { readonly connection: SpdyConnection } | { readonly failure: LocalizerError };

/** A set of them. */
export class PodDials {
  readonly #clock: Clock;
  readonly #options: Pick<PoolOptions, "slowDialMs" | "earlyEndMs" | "earlyEndMostMs">;
  #underWay = 0;
  #slow = 0;
  #failedMs: number | undefined;
  #earlyEnds = 0;
  #pauseEndsMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, options: Pick<PoolOptions, "slowDialMs" | "earlyEndMs" | "earlyEndMostMs">) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Under way. */
  get size(): number {
    return this.#underWay;
  }

  /** Those that may still be answered soon. One that hangs may be lost, where another would come through. */
  get fresh(): number {
    return this.#underWay - this.#slow;
  }

  /** When the newest one failed, or what it gave ended at once; undefined when neither. */
  get failedMs(): number | undefined {
    return this.#failedMs;
  }

  /** So long no other may begin, in ms. */
  get pauseMs(): number {
    return Math.max(0, this.#pauseEndsMs - this.#clock.monotonic());
  }

  /**
   * Dials. `onSlow` is called when it begins to hang, `onEnd` once, at the end. A connection that is closed before it comes
   * is a failure: who takes an upgrade and drops it would do so again.
   */
  start(connect: () => Promise<SpdyConnection>, onSlow: () => void, onEnd: (dialled: Dialled) => void): void {
    this.#underWay++;
    let isSlow = false;
    const timer = this.#clock.after(this.#options.slowDialMs, () => {
      isSlow = true;
      this.#slow++;
      onSlow();
    });
    const end = (dialled: Dialled) => {
      timer[Symbol.dispose]();
      this.#underWay--;
      if (isSlow) this.#slow--;
      this.#failedMs = "failure" in dialled ? this.#clock.monotonic() : undefined;
      onEnd(dialled);
    };
    connect().then(
      (connection) => {
        if (!connection.closed.aborted) return end({ connection });
        this.endedEarly();
        end({ failure: LocalizerError.from(connection.closed.reason, "unavailable") });
      },
      (error) => end({ failure: LocalizerError.from(error, "unavailable") }),
    );
  }

  /** A connection was closed before it was of use: the next dial has to pause. */
  endedEarly(): void {
    const { earlyEndMs, earlyEndMostMs } = this.#options;
    this.#failedMs = this.#clock.monotonic();
    this.#pauseEndsMs = this.#failedMs + Math.min(earlyEndMs * 2 ** this.#earlyEnds, earlyEndMostMs);
    this.#earlyEnds++;
  }

  /** A connection was of use. */
  succeeded(): void {
    this.#earlyEnds = 0;
    this.#pauseEndsMs = Number.NEGATIVE_INFINITY;
  }
}
