/**
 * The stream pairs of one connection: which are in use, which only linger until the runtime lets go of them (a second
 * after our FIN). Pure bookkeeping; spdy-connection acts on it.
 */
import type { PodStream } from "./pod-stream.ts";

/** SYNs are on their way by then: they wait a moment for the first bytes (`frame-sender`). */
const maxHeldMs = 100;

/** One forwarded connection's two streams. */
export interface StreamPair {
  readonly errorId: number;
  readonly dataId: number;
  readonly openedMs: number;
  /** The runtime has answered its SYN, or said something of it at least. */
  isAccepted: boolean;
  /** Since when it is known that the runtime has read its SYN and not answered; undefined while that is not so. */
  ignoredMs: number | undefined;
  /** Undefined once nobody reads or writes it. */
  stream: PodStream | undefined;
  /** `open`: bytes may still be sent. `proving`: pings are under way behind the last. `lingering`: all was consumed. */
  phase: "open" | "proving" | "lingering";
  /** Its local side has ended and is known to wait for the answer still. */
  isHalfClosed: boolean;
  finSent: boolean;
  dataEnded: boolean;
  errorEnded: boolean;
  /** The runtime said that something went wrong. */
  isBroken: boolean;
  /** Bytes that came when nobody read them any more. */
  wastedBytes: number;
  leftMs: number;
  /** Since when it is known that the runtime has consumed all of it, the FIN too; undefined until then. */
  consumedMs: number | undefined;
}

/** By either id. */
export class StreamPairs {
  readonly #byId = new Map<number, StreamPair>();
  #open = 0;
  #live = 0;
  #halfClosed = 0;

  /** Pairs, the lingering ones too: each costs the runtime a thread. */
  get size(): number {
    return this.#byId.size / 2;
  }

  /** Those on which bytes may still be sent. */
  get open(): number {
    return this.#open;
  }

  /** Those that somebody reads. */
  get live(): number {
    return this.#live;
  }

  /** Those that somebody counts on. One whose local side has ended is not among them until it is known that it still reads. */
  get busy(): number {
    return this.#open + this.#halfClosed;
  }

  get(id: number): StreamPair | undefined {
    return this.#byId.get(id);
  }

  /** Each once, oldest first. */
  get all(): readonly StreamPair[] {
    return [...this.#byId].flatMap(([id, pair]) => (id === pair.dataId ? [pair] : []));
  }

  add(errorId: number, dataId: number, openedMs: number): StreamPair {
    const pair: StreamPair = {
      ...{ errorId, dataId, openedMs, isAccepted: false, ignoredMs: undefined },
      ...{ stream: undefined, phase: "open", isHalfClosed: false },
      ...{ finSent: false, dataEnded: false, errorEnded: false, isBroken: false, wastedBytes: 0, leftMs: 0 },
      consumedMs: undefined,
    };
    this.#byId.set(errorId, pair);
    this.#byId.set(dataId, pair);
    this.#open++;
    return pair;
  }

  /** The stream that feeds on it. */
  attach(pair: StreamPair, stream: PodStream): void {
    pair.stream = stream;
    this.#live++;
  }

  /** Its local side has sent all, and reads. */
  halfClose(pair: StreamPair): void {
    if (pair.isHalfClosed || pair.phase === "open" || pair.stream === undefined || !this.#byId.has(pair.dataId)) return;
    pair.isHalfClosed = true;
    this.#halfClosed++;
  }

  /** Nobody reads it any more. */
  detach(pair: StreamPair, nowMs: number): void {
    if (pair.stream !== undefined && this.#byId.has(pair.dataId)) this.#live--;
    this.#unHalfClose(pair);
    pair.stream = undefined;
    pair.leftMs = nowMs;
  }

  /** No more bytes will be sent on it. */
  close(pair: StreamPair): void {
    if (pair.phase === "open" && this.#byId.has(pair.dataId)) this.#open--;
    pair.phase = "proving";
  }

  /** The runtime has consumed what was sent before `sentMs`, as is known now. */
  consumed(sentMs: number, nowMs: number): void {
    for (const pair of this.all) {
      const { leftMs, phase, stream } = pair;
      if (stream === undefined && phase === "lingering" && leftMs <= sentMs) pair.consumedMs ??= nowMs;
    }
  }

  /** Those in use that the runtime has not accepted, though it had read their SYN by `readMs`, as is known now. */
  ignored(readMs: number, nowMs: number): readonly StreamPair[] {
    const found = this.all.filter(
      ({ isAccepted, openedMs, stream }) => !isAccepted && stream !== undefined && readMs - openedMs > maxHeldMs,
    );
    for (const pair of found) pair.ignoredMs ??= nowMs;
    return found;
  }

  /** True when one is still there of which all was consumed before this time. */
  overdueSince(timeMs: number): boolean {
    return this.all.some(({ consumedMs }) => consumedMs !== undefined && consumedMs < timeMs);
  }

  /** True when one that was left before this time is not proven yet. */
  provingSince(timeMs: number): boolean {
    return this.all.some(({ stream, phase, leftMs }) => stream === undefined && phase === "proving" && leftMs < timeMs);
  }

  /** True when what was sent on one is not proven yet, and its pod has neither ended nor complained. */
  get isAwaited(): boolean {
    return this.all.some(({ phase, dataEnded, isBroken }) => phase === "proving" && !dataEnded && !isBroken);
  }

  /** Forgets it. What was not proven by then is its connection's to prove. */
  remove(pair: StreamPair): void {
    if (!this.#byId.delete(pair.dataId)) return;
    this.#byId.delete(pair.errorId);
    if (pair.phase === "open") this.#open--;
    if (pair.stream !== undefined) this.#live--;
    this.#unHalfClose(pair);
  }

  #unHalfClose(pair: StreamPair): void {
    if (pair.isHalfClosed) this.#halfClosed--;
    pair.isHalfClosed = false;
  }
}
