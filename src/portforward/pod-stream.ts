/**
 * One local connection's way to a pod's port: a Duplex over a pair of SPDY streams (data and error).
 * Promises: back-pressure both ways, a failure that says why (LocalizerError), never DATA after the
 * pod's FIN (it poisons the runtime's workers), and a local half-close that does not cut the answer.
 */
import { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { type ErrorCode, LocalizerError } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { refusal } from "./refusal.ts";

/**
 * After a local end of which nobody knows whether it is a close or a half-close, the FIN is held back until the pod was
 * silent so long: the runtime cuts 1 s after it.
 */
export const finSilenceMs = 5_000;

/** The same where it is known that the local side still reads. */
export const halfClosedSilenceMs = 300_000;

/** How long the error stream may take to end after the data stream's FIN, before that counts as a clean end. */
const errorStreamGraceMs = 250;

/** What the pod said and the reader has not taken, up to this, where other streams share the connection. */
const sharedQueueBytes = 256 * 1024;

/** How long the runtime may take to accept a stream that waits for it. */
const replyMs = 2_000;

/** REFUSED_STREAM (SPDY/3.1 2.6.3): nothing was done with the stream, so nobody got a byte. */
const refusedStream = 3;

/** What a stream needs of its connection. */
export interface StreamCarrier {
  /** Sends bytes of the data stream, then calls back when more may be sent. */
  sendData(streamId: number, chunks: readonly Buffer[], callback: () => void): void;
  sendFin(streamId: number): void;
  /** There will be no more bytes; the FIN may be long in coming. */
  finished(streamId: number): void;
  /** After `finished`: the local side is known to wait for the answer. */
  halfClosed(): void;
  /** What the runtime has said since this time may stand unread, for a neighbour's sake. */
  wasPausedSince(timeMs: number): boolean;
  /** False while other connections depend on the same bytes to come. */
  readonly isAlone: boolean;
  /** The stream can take no more bytes; call `resume` when it can. */
  pause(): void;
  resume(): void;
  /** Nobody reads or writes it any more; the pod is to be told if it has not ended. */
  leave(streamId: number): void;
}

/** The Duplex. Made by SpdyConnection, which also feeds it. */
export class PodStream extends Duplex {
  readonly streamId: number;
  readonly #carrier: StreamCarrier;
  readonly #endpoint: Endpoint;
  readonly #clock: Clock;
  #errorText = "";
  #errorEnded = false;
  #dataEnded = false;
  #finSent = false;
  #mayTalk: boolean;
  #isUntouched = true;
  /** A write that waits until the stream may talk. */
  #held: (() => void) | undefined;
  #silenceMs = finSilenceMs;
  #isHalfClosed = false;
  #lastFromPodMs: number;
  #lastToPodMs = Number.NEGATIVE_INFINITY;
  #halfClosedMs = 0;
  #timer: Disposable | undefined;
  #replyTimer: Disposable | undefined;

  /** @param options.afterReply what is written waits until the runtime has accepted the stream (`replied`) */
  constructor(
    carrier: StreamCarrier,
    streamId: number,
    options: { readonly endpoint: Endpoint; readonly clock: Clock; readonly afterReply?: boolean },
  ) {
    // The pod's end is the end: there is no half-open port-forward, and the connection is not kept for nothing.
    super({ allowHalfOpen: false, autoDestroy: true, emitClose: true });
    this.streamId = streamId;
    this.#carrier = carrier;
    this.#endpoint = options.endpoint;
    this.#clock = options.clock;
    this.#mayTalk = options.afterReply !== true;
    this.#lastFromPodMs = this.#clock.monotonic();
    // It may fail before its owner listens; the owner sees it by `errored`.
    this.on("error", () => {});
    if (!this.#mayTalk) this.#awaitReply();
  }

  /** True as long as nothing that was written has left: whatever happens, the pod got none of it. */
  get isUntouched(): boolean {
    return this.#isUntouched;
  }

  /** Since when nothing was said either way; undefined while something that the pod said is still to be read. */
  get stillSinceMs(): number | undefined {
    return this.readableLength > 0 ? undefined : Math.max(this.#lastFromPodMs, this.#lastToPodMs);
  }

  /**
   * What is known of the local side, once it has ended: whether it still reads. When it does not, the pod is told at
   * once; when it does, only after 5 minutes without a word from the pod. Unknown: after 5 s.
   */
  localEnded(how: "closed" | "half-closed"): void {
    this.#silenceMs = how === "closed" ? 0 : halfClosedSilenceMs;
    this.#isHalfClosed = how === "half-closed";
    if (this.#isHalfClosed && this.writableFinished) this.#carrier.halfClosed();
    if (this.writableFinished && !this.#dataEnded && !this.destroyed) this.#sendFinWhenSilent();
  }

  /** The runtime has accepted the stream. */
  replied(): void {
    if (this.#mayTalk) return;
    this.#mayTalk = true;
    this.#replyTimer?.[Symbol.dispose]();
    const talk = this.#held;
    this.#held = undefined;
    talk?.();
  }

  /** Bytes came from the pod. */
  feedData(bytes: Buffer): void {
    this.#lastFromPodMs = this.#clock.monotonic();
    if (this.destroyed || this.#dataEnded) return;
    const { isAlone } = this.#carrier;
    // A few bytes shall not keep a large chunk with the neighbours' bytes in memory, should they have to wait.
    const isSmall = !isAlone && bytes.length < bytes.buffer.byteLength / 4;
    if (this.push(isSmall ? Buffer.from(bytes) : bytes)) return;
    if (isAlone || this.readableLength >= sharedQueueBytes) this.#carrier.pause();
  }

  /** Bytes came on the error stream. */
  feedError(bytes: Buffer): void {
    if (this.#errorText.length < 4096) this.#errorText += bytes.toString("utf8");
  }

  /** The data stream ended. The error stream's text may still come (data-path: refusals end data first). */
  endData(): void {
    if (this.#dataEnded) return;
    this.#dataEnded = true;
    // Nothing more comes of which there could be too much.
    this.#carrier.resume();
    this.replied();
    if (this.#errorEnded) this.#conclude();
    else this.#setTimer(errorStreamGraceMs, () => this.#conclude());
  }

  /** The error stream ended. */
  endError(): void {
    this.#errorEnded = true;
    if (this.#errorText !== "" || this.#dataEnded) this.#conclude();
  }

  /** The runtime reset one of the pair. */
  reset(status: number): void {
    if (this.#errorText !== "") this.destroy(this.#refusal());
    else this.fail(status === refusedStream ? "refused" : "unavailable", `the stream was reset (status ${status})`);
  }

  /** Nothing more is expected of the pod; `why` ends the sentence that says so. */
  fail(code: ErrorCode, why: string): void {
    const { pod, port } = this.#endpoint;
    this.destroy(new LocalizerError(code, `Cannot forward to ${pod.namespace}/${pod.name}:${port}: ${why}`));
  }

  override _read(): void {
    this.#carrier.resume();
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#send([chunk], callback);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      callback,
    );
  }

  override _final(callback: (error?: Error | null) => void): void {
    callback();
    this.#halfClosedMs = this.#clock.monotonic();
    if (this.#dataEnded) return;
    this.#sendFinWhenSilent();
    if (this.#finSent) return;
    this.#carrier.finished(this.streamId);
    if (this.#isHalfClosed) this.#carrier.halfClosed();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#timer?.[Symbol.dispose]();
    this.#replyTimer?.[Symbol.dispose]();
    this.#held = undefined;
    this.#carrier.leave(this.streamId);
    callback(error);
  }

  #send(chunks: readonly Buffer[], callback: () => void): void {
    if (!this.#mayTalk) {
      this.#held = () => this.#send(chunks, callback);
      return;
    }
    // What the application still says after the pod has closed goes nowhere, as with any closed peer.
    if (this.#dataEnded) {
      callback();
      return;
    }
    this.#isUntouched = false;
    this.#lastToPodMs = this.#clock.monotonic();
    this.#carrier.sendData(this.streamId, chunks, callback);
  }

  #awaitReply(): void {
    const sinceMs = this.#clock.monotonic();
    this.#replyTimer = this.#clock.after(replyMs, () => {
      if (this.#carrier.wasPausedSince(sinceMs)) this.#awaitReply();
      else this.fail("unavailable", "the runtime did not accept the stream");
    });
  }

  #sendFinWhenSilent(): void {
    // Silence before the half-close is no sign: the application may have waited for the end of a long question.
    const silentMs = this.#clock.monotonic() - Math.max(this.#lastFromPodMs, this.#halfClosedMs);
    if (silentMs < this.#silenceMs) {
      this.#setTimer(this.#silenceMs - silentMs, () => this.#sendFinWhenSilent());
    } else if (!this.#finSent) {
      this.#finSent = true;
      this.#timer?.[Symbol.dispose]();
      this.#carrier.sendFin(this.streamId);
    }
  }

  #conclude(): void {
    this.#timer?.[Symbol.dispose]();
    if (this.destroyed) return;
    if (this.#errorText !== "") {
      this.destroy(this.#refusal());
      return;
    }
    this.push(null);
  }

  #refusal(): LocalizerError {
    return refusal(this.#endpoint, this.#errorText);
  }

  #setTimer(ms: number, run: () => void): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#clock.after(ms, run);
  }
}
