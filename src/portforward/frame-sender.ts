/**
 * The writing half of a connection: few writes, for each becomes a TLS record and is copied three times on its way to the
 * runtime. SYNs wait a moment for the first bytes; a FIN and its pings go together. Used by spdy-connection.
 */
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { FrameWriter, maxDataPayload } from "./frames.ts";
import type { StreamPair } from "./stream-pairs.ts";

/** Below this, header and payload go out as one buffer: one TLS record instead of two. */
const joinBelow = 16 * 1024;

/** So long the SYNs wait for the first bytes; who waits for the pod to speak first loses no more. */
const holdMs = 2;

interface PairHeaders {
  readonly port: string;
  readonly requestid: string;
}

type PairIds = Pick<StreamPair, "errorId" | "dataId">;

/** Made by SpdyConnection. Disposing it drops what waits and calls back who waits for room. */
export class FrameSender implements Disposable {
  readonly #socket: Duplex;
  readonly #clock: Clock;
  readonly #writer = new FrameWriter();
  readonly #blocked: (() => void)[] = [];
  #held: { readonly pair: PairIds; readonly syns: () => Buffer; readonly timer: Disposable } | undefined;
  /** Small frames that go out before the tick ends. */
  readonly #waiting: Buffer[] = [];
  #isClosed = false;

  constructor(socket: Duplex, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
  }

  /** The other side takes our bytes more slowly than they come. */
  get hasBacklog(): boolean {
    return this.#blocked.length > 0 || this.#socket.writableNeedDrain;
  }

  /** The two SYNs of a pair; `mayWait`: a moment, for the first bytes. */
  open(pair: PairIds, headers: PairHeaders, mayWait: boolean): void {
    // Ids must rise on the wire.
    this.#release();
    // Made only when they go out: the first of a connection begins its zlib stream.
    const syns = () => this.#syns(pair, headers);
    if (mayWait) this.#held = { pair, syns, timer: this.#clock.after(holdMs, () => this.#release()) };
    else this.#write(undefined, [syns()]);
  }

  /** DATA frames; calls back when more may be sent. */
  data(pair: PairIds, chunks: readonly Buffer[], callback: () => void): void {
    let isFree = true;
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += maxDataPayload) {
        const payload = chunk.subarray(at, at + maxDataPayload);
        const header = this.#writer.dataHeader(pair.dataId, payload.length, false);
        if (payload.length < joinBelow) isFree = this.#write(pair, [header, payload]);
        else {
          this.#write(pair, [header]);
          isFree = this.#write(pair, [payload]);
        }
      }
    }
    if (isFree || this.#isClosed) callback();
    else this.#blocked.push(callback);
  }

  /**
   * The FIN of the pair's data stream, if it is due, and pings behind it; with what else is said in the same tick, for the
   * ends of many connections become known together.
   */
  finAndPings(pair: PairIds | undefined, fin: boolean, pingIds: readonly number[]): void {
    if (pair !== undefined && this.#held?.pair === pair) this.#release();
    if (this.#waiting.length === 0) queueMicrotask(() => this.#write(undefined, []));
    if (fin && pair !== undefined) this.#waiting.push(this.#writer.dataHeader(pair.dataId, 0, true));
    if (pingIds.length > 0) this.#waiting.push(this.#writer.pings(pingIds));
  }

  /** Drops the SYNs of a pair if they were not sent yet; says whether that was so. */
  forget(pair: PairIds): boolean {
    if (this.#held?.pair !== pair) return false;
    this.#drop();
    return true;
  }

  /** The socket takes more. */
  drained(): void {
    for (const callback of this.#blocked.splice(0)) callback();
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#drop();
    this.drained();
  }

  /** One write, behind the pair's SYNs if those still wait. False when the socket has enough for now. */
  #write(pair: PairIds | undefined, parts: readonly Buffer[]): boolean {
    if (this.#isClosed) return true;
    const held = pair !== undefined && this.#held?.pair === pair ? this.#take() : [];
    const all = [...this.#waiting.splice(0), ...held, ...parts];
    const [only] = all;
    if (only === undefined) return true;
    return this.#socket.write(all.length === 1 ? only : Buffer.concat(all));
  }

  #release(): void {
    this.#write(undefined, this.#take());
  }

  #syns(pair: PairIds, { port, requestid }: PairHeaders): Buffer {
    const rest = [["port", port] as const, ["requestid", requestid] as const];
    return Buffer.concat([
      this.#writer.synStream(pair.errorId, [["streamtype", "error"], ...rest], true),
      this.#writer.synStream(pair.dataId, [["streamtype", "data"], ...rest], false),
    ]);
  }

  /** The SYNs that wait, which then wait no more. */
  #take(): readonly Buffer[] {
    const syns = this.#held?.syns();
    this.#drop();
    return syns === undefined ? [] : [syns];
  }

  #drop(): void {
    this.#held?.timer[Symbol.dispose]();
    this.#held = undefined;
  }
}
