/**
 * One upgraded connection to a pod: SPDY/3.1 over a socket, any number of stream pairs on it.
 * Promises: frames of a write stay in order, a slow reader pauses the socket and nothing is queued,
 * a lost connection ends every stream with a reason. Used by dial-pod (the pool comes later).
 */
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { FrameReader, FrameWriter, maxDataPayload } from "./frames.ts";
import { PodStream, type StreamCarrier } from "./pod-stream.ts";

/** Below this, header and payload go out as one buffer: one TLS record instead of two. */
const joinBelow = 16 * 1024;

/** A SPDY session, client side. */
export class SpdyConnection implements AsyncDisposable {
  readonly #socket: Duplex;
  readonly #clock: Clock;
  readonly #writer = new FrameWriter();
  readonly #reader: FrameReader;
  readonly #dataStreams = new Map<number, PodStream>();
  readonly #errorStreams = new Map<number, PodStream>();
  /** Pairs, by the id of their error stream, whose reader is behind: one is enough to keep the socket paused. */
  readonly #full = new Set<number>();
  readonly #blocked: (() => void)[] = [];
  readonly #closed = new AbortController();
  #nextStreamId = 1;
  #requestId = 0;

  /** @param head bytes that came with the upgrade's answer */
  constructor(socket: Duplex, head: Buffer, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    this.#reader = new FrameReader({
      onData: (id, bytes) => this.#onData(id, bytes),
      onFin: (id) => this.#onFin(id),
      onReply: () => {},
      onReset: (id, status) => (this.#dataStreams.get(id) ?? this.#errorStreams.get(id))?.reset(status),
      onPing: (id) => this.#onPing(id),
      onGoAway: () => {},
    });
    socket.on("data", (chunk: Buffer) => this.#onChunk(chunk));
    socket.on("drain", () => this.#onDrain());
    socket.on("end", () => this.#fail("the connection was ended"));
    socket.on("close", () => this.#fail("the connection was closed"));
    socket.on("error", (error) => this.#fail(error.message));
    if (head.length > 0) this.#onChunk(head);
    // An 'upgrade' leaves the socket paused.
    socket.resume();
  }

  /** Fires when the connection is of no more use; the reason is a LocalizerError. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /**
   * Opens the pair of streams for one connection to the pod's port. Nothing is waited for: what is
   * written goes out behind the two SYNs, and a refusal ends the stream with the runtime's reason.
   * @throws LocalizerError `unavailable` when the connection is closed
   */
  openStream(endpoint: Endpoint): PodStream {
    if (this.closed.aborted) throw LocalizerError.from(this.closed.reason);
    const errorId = this.#nextStreamId;
    const dataId = errorId + 2;
    this.#nextStreamId = dataId + 2;
    const common = [
      ["port", String(endpoint.port)],
      ["requestid", String(this.#requestId++)],
    ] as const;
    const stream = new PodStream(this.#carrier(errorId), dataId, endpoint, this.#clock);
    this.#dataStreams.set(dataId, stream);
    this.#errorStreams.set(errorId, stream);
    const synError = this.#writer.synStream(errorId, [["streamtype", "error"], ...common], true);
    const synData = this.#writer.synStream(dataId, [["streamtype", "data"], ...common], false);
    this.#socket.write(Buffer.concat([synError, synData]));
    return stream;
  }

  /** Closes the connection; streams still open end with `unavailable`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail("the connection was closed by localizer");
  }

  #carrier(errorId: number): StreamCarrier {
    return {
      sendData: (id, chunks, callback) => this.#sendData(id, chunks, callback),
      sendFin: (id) => void this.#socket.write(this.#writer.dataHeader(id, 0, true)),
      sendReset: (id) => {
        if (!this.closed.aborted) this.#socket.write(this.#writer.rstStream(id));
      },
      pause: () => {
        this.#full.add(errorId);
        this.#socket.pause();
      },
      resume: () => {
        this.#full.delete(errorId);
        if (this.#full.size === 0) this.#socket.resume();
      },
      release: (id) => {
        this.#dataStreams.delete(id);
        this.#errorStreams.delete(errorId);
      },
    };
  }

  #sendData(id: number, chunks: readonly Buffer[], callback: () => void): void {
    let free = true;
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += maxDataPayload) {
        const payload = chunk.subarray(at, at + maxDataPayload);
        const header = this.#writer.dataHeader(id, payload.length, false);
        if (payload.length < joinBelow) free = this.#socket.write(Buffer.concat([header, payload]));
        else {
          this.#socket.write(header);
          free = this.#socket.write(payload);
        }
      }
    }
    if (free || this.closed.aborted) callback();
    else this.#blocked.push(callback);
  }

  #onChunk(chunk: Buffer): void {
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.#fail(LocalizerError.from(error).message);
    }
  }

  #onData(id: number, bytes: Buffer): void {
    const stream = this.#dataStreams.get(id);
    if (stream !== undefined) stream.feedData(bytes);
    else this.#errorStreams.get(id)?.feedError(bytes);
  }

  #onFin(id: number): void {
    this.#dataStreams.get(id)?.endData();
    this.#errorStreams.get(id)?.endError();
  }

  #onPing(id: number): void {
    // Even ids are the server's own (SPDY/3.1 2.6.5); ours are not sent yet.
    if (id % 2 === 0 && !this.closed.aborted) this.#socket.write(this.#writer.ping(id));
  }

  #onDrain(): void {
    for (const callback of this.#blocked.splice(0)) callback();
  }

  #fail(reason: string): void {
    if (this.closed.aborted) return;
    const error = new LocalizerError("unavailable", `Lost the connection to the pod: ${reason}`);
    this.#closed.abort(error);
    for (const stream of [...this.#dataStreams.values()]) stream.destroy(error);
    this.#onDrain();
    this.#socket.destroy();
  }
}
