/**
 * Whether the other end of a connection is still there and consumes what it is sent: pings, and the judgement of their
 * answers. Where pings are stuck behind an upload that the application does not read, the path is asked (`path-check`).
 * Used by spdy-connection.
 */
import type { Clock } from "../clock.ts";
import type { FrameReceiver } from "./frame-receiver.ts";
import type { FrameSender } from "./frame-sender.ts";
import type { AskPath } from "./path-check.ts";
import { type PingLimits, PingRounds, type Verdict } from "./ping-rounds.ts";
import type { StreamPair } from "./stream-pairs.ts";

/** How often to ping (in silence twice as often), and what to make of missing answers; in ms. */
export interface HealthLimits extends PingLimits {
  readonly everyMs: number;
  /** A stream that the runtime has not accepted for so long, while nothing else is heard either, makes suspect. */
  readonly acceptMs: number;
  /** So long without any sign after an alarm the connection is lost. */
  readonly alarmMs: number;
}

/** More than this may wait for a slow application in API server, kubelet and runtime, which swallow many MiB. */
const slowReaderBytes = 64 * 1024;

/** The path is asked so long before silence would mean the end. */
const askAheadMs = 7_000;

/** Good news of the path holds so long. */
const aliveMs = 4_000;

/** Bad news must have held so long, after an alarm or else: a line may be down for a moment. */
const deadMs = { alarmed: 2_000, else: 6_000 };

/** What was in the kernel before an alarm has been read by then. */
const leftoverMs = 1_000;

/** Of one connection. */
export class ConnectionHealth {
  readonly #clock: Clock;
  readonly #sender: Pick<FrameSender, "finAndPings" | "hasBacklog">;
  readonly #receiver: Pick<FrameReceiver, "isPaused" | "lastHeardMs" | "excuse">;
  readonly #askPath: AskPath | undefined;
  readonly #pings = new PingRounds();
  #isSuspect = false;
  #sentBytes = 0;
  #isBehind = false;
  #wasStuck = false;
  /** When a stream was opened first since anything was heard. */
  #openedMs: number | undefined;
  #alarmedMs: number | undefined;
  #isAsking = false;
  #aliveMs = Number.NEGATIVE_INFINITY;
  /** Since when all news of the path is bad. */
  #deadMs: number | undefined;

  constructor(
    clock: Clock,
    sender: Pick<FrameSender, "finAndPings" | "hasBacklog">,
    receiver: Pick<FrameReceiver, "isPaused" | "lastHeardMs" | "excuse">,
    askPath?: AskPath,
  ) {
    this.#clock = clock;
    this.#sender = sender;
    this.#receiver = receiver;
    this.#askPath = askPath;
  }

  /** Answers are missing: no new streams until they come. */
  get isSuspect(): boolean {
    return this.#isSuspect;
  }

  /** Some pings of a round are answered and others not: a worker of the runtime may be stuck. */
  get isInDoubt(): boolean {
    return this.#pings.isTorn;
  }

  /** Nobody waits for a proof. */
  get isProven(): boolean {
    return this.#pings.proofs === 0;
  }

  /** Round-trip time to the runtime in ms, once known. */
  get rttMs(): number | undefined {
    return this.#pings.rttMs;
  }

  /** When the newest pings went out that were all answered: what was sent before them was consumed. */
  get provenMs(): number {
    return this.#pings.provenMs;
  }

  /** Where our bytes are stuck, here or on the way, pings are stuck behind them: an application that does not read. */
  get isStuck(): boolean {
    return this.#sender.hasBacklog || this.#isBehind;
  }

  /** How long nothing was heard, in ms. */
  get silentMs(): number {
    return this.#clock.monotonic() - this.#receiver.lastHeardMs;
  }

  /** Pings behind the last byte of the pair, in one write with its FIN if that is due. */
  prove(pair: StreamPair, fin: boolean, onProven: () => void): void {
    this.#sender.finAndPings(pair, fin, this.#pings.start(this.#clock.monotonic(), this.#sentBytes, onProven));
  }

  /**
   * A ping came: an answer when its id is odd, else the other side's own, which is sent back (SPDY/3.1 2.6.5). Who does not
   * read gets no answers: they would only pile up.
   */
  pinged(id: number): void {
    if (id % 2 === 1) {
      this.#pings.answered(id, this.#clock.monotonic());
      this.#compare();
    } else if (!this.#sender.hasBacklog) this.#sender.finAndPings(undefined, false, [id]);
  }

  /** Bytes for an application went out. */
  sent(bytes: number): void {
    this.#sentBytes += bytes;
    this.#compare();
  }

  /** Who was behind is so until the last byte is taken: he does not become quick for it. */
  #compare(): void {
    const unproven = this.#sentBytes - this.#pings.provenBytes;
    if (unproven > slowReaderBytes) this.#isBehind = true;
    else if (unproven === 0) this.#isBehind = false;
  }

  /** A stream was opened: the runtime accepts it at once, whatever becomes of it. */
  opened(): void {
    this.#openedMs ??= this.#clock.monotonic();
  }

  /** It was left before the runtime heard of it. */
  withdrawn(): void {
    this.#openedMs = undefined;
  }

  /** The machine slept, or its network is another one: pings at once, and no long patience with what stays silent. */
  alarm(): void {
    if (this.#alarmedMs !== undefined) return;
    this.#alarmedMs = this.#clock.monotonic();
    this.#aliveMs = Number.NEGATIVE_INFINITY;
    this.#isSuspect = true;
    this.#ping(this.#alarmedMs);
  }

  /** Pings when it is time to, and says how things stand. */
  look(limits: HealthLimits): Verdict {
    const now = this.#clock.monotonic();
    if (this.#receiver.isPaused) {
      this.#excuse(now);
      this.#calm();
      return "well";
    }
    // What stood before the pings has just been taken: their answers are still to come.
    if (this.#wasStuck && !this.isStuck) this.#excuse(now);
    this.#wasStuck = this.isStuck;
    this.#takeNote();
    const verdict = this.#judge(now, limits);
    this.#isSuspect = verdict !== "well";
    const { startedMs } = this.#pings;
    const isUrgent = this.#isUnaccepted(now, limits) && startedMs <= (this.#openedMs ?? 0);
    // Twice as often in silence: it shall mean something soon. Behind a backlog pings would only wait.
    const everyMs = this.silentMs >= limits.everyMs / 2 ? limits.everyMs / 2 : limits.everyMs;
    if (isUrgent || (now - startedMs >= everyMs && !this.#sender.hasBacklog)) this.#ping(now);
    return verdict;
  }

  /** Silence until now is nobody's fault. */
  #excuse(now: number): void {
    this.#pings.excuse(now);
    this.#receiver.excuse();
  }

  /** Takes back what was feared before something was heard. */
  #takeNote(): void {
    const { lastHeardMs } = this.#receiver;
    const { heardMs } = this.#pings;
    if (this.#openedMs !== undefined && lastHeardMs > this.#openedMs) this.#openedMs = undefined;
    if (this.#deadMs !== undefined && lastHeardMs >= this.#deadMs) this.#deadMs = undefined;
    if (this.#alarmedMs === undefined) return;
    if (heardMs >= this.#alarmedMs || lastHeardMs > this.#alarmedMs + leftoverMs) this.#alarmedMs = undefined;
  }

  #judge(now: number, limits: HealthLimits): Verdict {
    const { silentMs } = this;
    const alarmedForMs = this.#alarmedMs === undefined ? undefined : now - this.#alarmedMs;
    const judged = this.#pings.judge(now, silentMs, limits);
    if (this.isStuck) {
      // In the first moment after an alarm the kernel has not repeated anything yet.
      if ((alarmedForMs ?? 0) >= leftoverMs || silentMs >= limits.lostMs - askAheadMs) this.#ask(now);
      const waitMs = alarmedForMs === undefined ? deadMs.else : deadMs.alarmed;
      const isDead = this.#deadMs !== undefined && now - this.#deadMs >= waitMs;
      const isLate = silentMs >= limits.lostMs || (alarmedForMs ?? 0) >= limits.alarmMs;
      if (isDead && isLate) return "lost";
      if (judged === "lost") return "suspect";
    } else if (alarmedForMs !== undefined && alarmedForMs >= limits.alarmMs) {
      return "lost";
    }
    const isDoubtful = alarmedForMs !== undefined || this.#isUnaccepted(now, limits);
    return isDoubtful && judged === "well" ? "suspect" : judged;
  }

  #isUnaccepted(now: number, { acceptMs }: HealthLimits): boolean {
    return this.#openedMs !== undefined && now - this.#openedMs >= acceptMs;
  }

  #ping(now: number): void {
    this.#sender.finAndPings(undefined, false, this.#pings.start(now, this.#sentBytes));
  }

  #ask(now: number): void {
    if (this.#askPath === undefined || this.#isAsking || now - this.#aliveMs < aliveMs) return;
    this.#isAsking = true;
    void this.#askPath(this.#alarmedMs ?? Number.NEGATIVE_INFINITY).then((news) => {
      this.#isAsking = false;
      if (this.#alarmedMs !== undefined && now < this.#alarmedMs) return;
      if (news === "dead") {
        this.#deadMs ??= now;
      } else {
        this.#aliveMs = now;
        this.#calm();
      }
    });
  }

  #calm(): void {
    this.#alarmedMs = undefined;
    this.#deadMs = undefined;
  }
}
