/**
 * One local connection's way to a pod's port: a Duplex over a pair of SPDY streams (data and error).
 * Promises: back-pressure both ways, a failure that says why (LocalizerError), never DATA after the
 * pod's FIN (it poisons the runtime's workers), and a local half-close that does not cut the answer.
 */
import { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { refusal } from "./refusal.ts";

/** After a local half-close the FIN is held back until the pod was silent so long: the runtime cuts 1 s after it. */
export const finSilenceMs = 5_000;

/** How long the error stream may take to end after the data stream's FIN, before that counts as a clean end. */
const errorStreamGraceMs = 250;

/** REFUSED_STREAM (SPDY/3.1 2.6.3): nothing was done with the stream, so nobody got a byte. */
const refusedStream = 3;

/** What a stream needs of its connection. */
export interface StreamCarrier {
  /** Sends bytes of the data stream, then calls back when more may be sent. */
  sendData(streamId: number, chunks: readonly Buffer[], callback: () => void): void;
  sendFin(streamId: number): void;
  sendReset(streamId: number): void;
  /** The stream can take no more bytes; call `resume` when it can. */
  pause(): void;
  resume(): void;
  /** Both halves are done with; the stream may be forgotten. */
  release(streamId: number): void;
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
  #lastFromPodMs: number;
  #halfClosedMs = 0;
  #timer: Disposable | undefined;

  constructor(carrier: StreamCarrier, streamId: number, endpoint: Endpoint, clock: Clock) {
    // The pod's end is the end: there is no half-open port-forward, and the connection is not kept for nothing.
    super({ allowHalfOpen: false, autoDestroy: true, emitClose: true });
    this.streamId = streamId;
    this.#carrier = carrier;
    this.#endpoint = endpoint;
    this.#clock = clock;
    this.#lastFromPodMs = clock.monotonic();
    // It may fail before its owner listens; the owner sees it by `errored`.
    this.on("error", () => {});
  }

  /** Bytes came from the pod. */
  feedData(bytes: Buffer): void {
    this.#lastFromPodMs = this.#clock.monotonic();
    if (this.destroyed || this.#dataEnded) return;
    if (!this.push(bytes)) this.#carrier.pause();
  }

  /** Bytes came on the error stream. */
  feedError(bytes: Buffer): void {
    if (this.#errorText.length < 4096) this.#errorText += bytes.toString("utf8");
  }

  /** The data stream ended. The error stream's text may still come (data-path: refusals end data first). */
  endData(): void {
    if (this.#dataEnded) return;
    this.#dataEnded = true;
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
    const { pod, port } = this.#endpoint;
    const sentence = `Cannot forward to ${pod.namespace}/${pod.name}:${port}: the stream was reset (status ${status})`;
    const code = status === refusedStream ? "refused" : "unavailable";
    this.destroy(this.#errorText === "" ? new LocalizerError(code, sentence) : this.#refusal());
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
    if (!this.#dataEnded) this.#sendFinWhenSilent();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#timer?.[Symbol.dispose]();
    if (!this.#dataEnded) this.#carrier.sendReset(this.streamId);
    this.#carrier.resume();
    this.#carrier.release(this.streamId);
    callback(error);
  }

  #send(chunks: readonly Buffer[], callback: () => void): void {
    // What the application still says after the pod has closed goes nowhere, as with any closed peer.
    if (this.#dataEnded) callback();
    else this.#carrier.sendData(this.streamId, chunks, callback);
  }

  #sendFinWhenSilent(): void {
    // Silence before the half-close is no sign: the application may have waited for the end of a long question.
    const silentMs = this.#clock.monotonic() - Math.max(this.#lastFromPodMs, this.#halfClosedMs);
    if (silentMs < finSilenceMs) {
      this.#setTimer(finSilenceMs - silentMs, () => this.#sendFinWhenSilent());
    } else if (!this.#finSent) {
      this.#finSent = true;
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
