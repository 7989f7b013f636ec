/**
 * Whether the other end of a connection is still there and consumes what it is sent: pings, and the judgement of their
 * answers. Used by spdy-connection.
 */
import type { Clock } from "../clock.ts";
import type { FrameReceiver } from "./frame-receiver.ts";
import type { FrameSender } from "./frame-sender.ts";
import { type PingLimits, PingRounds, type Verdict } from "./ping-rounds.ts";
import type { StreamPair } from "./stream-pairs.ts";

/** How often to ping, and what to make of missing answers; in ms. */
export interface HealthLimits extends PingLimits {
  readonly everyMs: number;
}

/** Of one connection. */
export class ConnectionHealth {
  readonly #clock: Clock;
  readonly #sender: Pick<FrameSender, "finAndPings" | "hasBacklog">;
  readonly #receiver: Pick<FrameReceiver, "isPaused" | "lastHeardMs" | "excuse">;
  readonly #pings = new PingRounds();
  #isSuspect = false;

  constructor(
    clock: Clock,
    sender: Pick<FrameSender, "finAndPings" | "hasBacklog">,
    receiver: Pick<FrameReceiver, "isPaused" | "lastHeardMs" | "excuse">,
  ) {
    this.#clock = clock;
    this.#sender = sender;
    this.#receiver = receiver;
  }

  /** Answers are missing: no new streams until they come. */
  get isSuspect(): boolean {
    return this.#isSuspect;
  }

  /** Nobody waits for a proof. */
  get isProven(): boolean {
    return this.#pings.proofs === 0;
  }

  /** Round-trip time to the runtime in ms, once known. */
  get rttMs(): number | undefined {
    return this.#pings.rttMs;
  }

  /** Pings behind the last byte of the pair, in one write with its FIN if that is due. */
  prove(pair: StreamPair, fin: boolean, onProven: () => void): void {
    this.#sender.finAndPings(pair, fin, this.#pings.start(this.#clock.monotonic(), onProven));
  }

  /** A ping came: an answer when its id is odd, else the other side's own, which is sent back (SPDY/3.1 2.6.5). */
  pinged(id: number): void {
    if (id % 2 === 1) this.#pings.answered(id, this.#clock.monotonic());
    else this.#sender.finAndPings(undefined, false, [id]);
  }

  /** Pings when it is time to, and says how things stand. */
  look(limits: HealthLimits): Verdict {
    const now = this.#clock.monotonic();
    if (this.#receiver.isPaused) {
      this.#pings.excuse(now);
      this.#receiver.excuse();
      return "well";
    }
    const judged = this.#pings.judge(now, now - this.#receiver.lastHeardMs, limits);
    // Where our bytes are stuck, pings are stuck behind them: an application that does not read, and no lost connection.
    const verdict = judged === "lost" && this.#sender.hasBacklog ? "suspect" : judged;
    this.#isSuspect = verdict !== "well";
    if (!this.#pings.isWaiting && now - this.#pings.startedMs >= limits.everyMs) {
      this.#sender.finAndPings(undefined, false, this.#pings.start(now));
    }
    return verdict;
  }
}
