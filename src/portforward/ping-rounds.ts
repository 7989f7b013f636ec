/**
 * What pings tell of a connection. The runtime deals pings to its five workers in turn, so five test them all: five
 * answers prove that everything sent before was consumed, one that stays away is a worker stuck for good
 * (containerd before 1.6.22). Pure but for the numbers it keeps; time is handed in. Used by spdy-connection.
 */

/** One for each of the runtime's workers (moby/spdystream `FRAME_WORKERS`). */
export const pingsPerRound = 5;

/** Rounds that nobody waits for and that are remembered while answers stay away. */
const keptRounds = 3;

/** How long an answer may stay away, in ms. */
export interface PingLimits {
  /** Of a round that others wait for to use the connection again: then a worker is stuck. */
  readonly proofMs: number;
  /** Of any: until they come the connection takes no new streams. */
  readonly suspectMs: number;
  /** All of a round, while nothing else is heard either: the connection is lost. */
  readonly lostMs: number;
}

/** `suspect`: no new streams for now. `poisoned`: none ever again. `lost`: of no use to anybody. */
export type Verdict = "well" | "suspect" | "poisoned" | "lost";

interface Round {
  missing: number;
  readonly sentMs: number;
  /** Sent to applications before it. */
  readonly sentBytes: number;
  /** From when on its answers are waited for. */
  startedMs: number;
  readonly onProven: (() => void) | undefined;
}

/** The rounds of one connection that are under way. */
export class PingRounds {
  readonly #byId = new Map<number, Round>();
  /** In order of their start. */
  readonly #rounds = new Set<Round>();
  #nextId = 1;
  #startedMs = Number.NEGATIVE_INFINITY;
  #provenMs = Number.NEGATIVE_INFINITY;
  #provenBytes = 0;
  #heardMs = Number.NEGATIVE_INFINITY;
  #rttMs: number | undefined;

  /** When the newest round began. */
  get startedMs(): number {
    return this.#startedMs;
  }

  /** What was sent before this was consumed: when the newest round went out of which all came back. */
  get provenMs(): number {
    return this.#provenMs;
  }

  /** Of what was sent to applications so much was consumed, as far as is known. */
  get provenBytes(): number {
    return this.#provenBytes;
  }

  /** The other side was there after this: when the newest round went out of which anything came back. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** Round-trip time to the runtime, smoothed; undefined before the first answer. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** Some answers of a round are there and others not yet: they come together, unless a worker is stuck. */
  get isTorn(): boolean {
    for (const { missing } of this.#rounds) if (missing < pingsPerRound) return true;
    return false;
  }

  /** Rounds that somebody waits for. */
  get proofs(): number {
    return [...this.#rounds].filter(({ onProven }) => onProven !== undefined).length;
  }

  /**
   * The ids to send now, odd and rising (SPDY/3.1 2.6.5). `onProven` is called when all are answered.
   * @param sentBytes to applications so far
   */
  start(nowMs: number, sentBytes: number, onProven?: () => void): readonly number[] {
    const round: Round = { missing: pingsPerRound, sentMs: nowMs, sentBytes, startedMs: nowMs, onProven };
    const ids = Array.from({ length: pingsPerRound }, (_, index) => this.#nextId + 2 * index);
    this.#nextId += 2 * pingsPerRound;
    for (const id of ids) this.#byId.set(id, round);
    this.#rounds.add(round);
    this.#startedMs = nowMs;
    if (onProven === undefined) this.#forgetOldest();
    return ids;
  }

  /** An answer came; one that nobody asked for means nothing. */
  answered(id: number, nowMs: number): void {
    const round = this.#byId.get(id);
    if (round === undefined) return;
    this.#byId.delete(id);
    this.#heardMs = Math.max(this.#heardMs, round.sentMs);
    if (--round.missing > 0) return;
    this.#provenMs = Math.max(this.#provenMs, round.sentMs);
    this.#provenBytes = Math.max(this.#provenBytes, round.sentBytes);
    this.#rounds.delete(round);
    const tookMs = nowMs - round.startedMs;
    this.#rttMs = this.#rttMs === undefined ? tookMs : this.#rttMs + (tookMs - this.#rttMs) / 8;
    round.onProven?.();
  }

  /** Nothing can be heard at present, by our own doing: the waiting begins anew. */
  excuse(nowMs: number): void {
    for (const round of this.#rounds) round.startedMs = nowMs;
  }

  /** @param silentMs since anything was heard */
  judge(nowMs: number, silentMs: number, limits: PingLimits): Verdict {
    let verdict: Verdict = "well";
    for (const { missing, startedMs, onProven } of this.#rounds) {
      const ageMs = nowMs - startedMs;
      const isSilent = missing === pingsPerRound;
      if (isSilent && silentMs >= limits.lostMs && ageMs >= limits.suspectMs) return "lost";
      // None of the five answered may be a long queue on a slow line; some of the five is a stuck worker.
      if (onProven !== undefined && ageMs >= (isSilent ? limits.lostMs : limits.proofMs)) verdict = "poisoned";
      else if (ageMs >= limits.suspectMs && verdict === "well") verdict = "suspect";
    }
    return verdict;
  }

  /** A worker that is stuck keeps its answers of later rounds, too: nothing is lost with the oldest. */
  #forgetOldest(): void {
    const [oldest, ...newer] = [...this.#rounds].filter(({ onProven }) => onProven === undefined);
    if (oldest === undefined || newer.length < keptRounds) return;
    this.#rounds.delete(oldest);
    for (const [id, round] of this.#byId) if (round === oldest) this.#byId.delete(id);
  }
}
