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

/** More than this may wait for a slow application in API server, kubelet and runtime, which swallow many MiB. */
const slowReaderBytes = 64 * 1024;

/** Of one connection. */
export class ConnectionHealth {
  readonly #clock: Clock;
  readonly #sender: Pick<FrameSender, "finAndPings" | "hasBacklog">;
  readonly #receiver: Pick<FrameReceiver, "isPaused" | "lastHeardMs" | "excuse">;
  readonly #pings = new PingRounds();
  #isSuspect = false;
  /** Sent since pings behind it were all answered. */
  #unprovenBytes = 0;
  #lastSentMs = 0;

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

  /** Bytes for an application went out. */
  sent(bytes: number): void {
    this.#unprovenBytes += bytes;
    this.#lastSentMs = this.#clock.monotonic();
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
    if (!this.#pings.isWaiting && this.#pings.startedMs > this.#lastSentMs) this.#unprovenBytes = 0;
    // Where our bytes are stuck, here or on the way, pings are stuck behind them: an application that does not read.
    const isStuck = this.#sender.hasBacklog || this.#unprovenBytes > slowReaderBytes;
    const verdict = judged === "lost" && isStuck ? "suspect" : judged;
    this.#isSuspect = verdict !== "well";
    if (!this.#pings.isWaiting && now - this.#pings.startedMs >= limits.everyMs) {
      this.#sender.finAndPings(undefined, false, this.#pings.start(now));
    }
    return verdict;
  }
}
