/** The far end of an upgraded connection, played by hand: what the container runtime sees, and what it says. */
import type { Duplex } from "node:stream";
import { encode, type Frame, FrameDecoder } from "./spdy-frames.ts";

/** The streams of one forwarded connection. */
export interface StreamPair {
  readonly errorId: number;
  readonly dataId: number;
  readonly port: string;
  readonly requestId: string;
}

/** Reads and keeps every frame until it is asked for. */
export class SpdyRuntime {
  readonly socket: Duplex;
  /** Frames that came and were not taken yet. */
  readonly frames: Frame[] = [];
  /** Set to have pings answered at once, and not kept. */
  answersPings = false;
  /** Set to have every stream accepted at once, as runtimes do. */
  acceptsStreams = false;
  readonly #decoder = new FrameDecoder();
  readonly #waiting = new Set<() => void>();

  constructor(socket: Duplex) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      for (const frame of this.#decoder.push(chunk)) {
        if (frame.kind === "syn" && this.acceptsStreams) {
          this.send({ kind: "reply", streamId: frame.streamId, fin: false });
        }
        if (frame.kind === "ping" && this.answersPings) this.send(frame);
        else this.frames.push(frame);
      }
      for (const wake of this.#waiting) wake();
      this.#waiting.clear();
    });
  }

  /** Takes the next frame, which must be of this kind; waits for it. */
  async take<K extends Frame["kind"]>(kind: K): Promise<Extract<Frame, { kind: K }>> {
    while (this.frames.length === 0) await new Promise<void>((resolve) => this.#waiting.add(resolve));
    const frame = this.frames.shift();
    if (frame?.kind !== kind) throw new Error(`got a ${frame?.kind} frame instead of a ${kind} frame`);
    // Proven by the line above, which the compiler does not follow through K.
    return frame as Extract<Frame, { kind: K }>;
  }

  /** Takes data frames until `length` bytes are there. */
  async takeData(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let got = 0; got < length; ) {
      const { bytes } = await this.take("data");
      parts.push(bytes);
      got += bytes.length;
    }
    return Buffer.concat(parts);
  }

  /** Takes the two SYN_STREAM frames of a forwarded connection. */
  async takePair(): Promise<StreamPair> {
    const [error, data] = [await this.take("syn"), await this.take("syn")];
    const { streamtype, port = "", requestid = "" } = data.headers;
    if (error.headers.streamtype !== "error" || streamtype !== "data")
      throw new Error("the pair is the wrong way round");
    if (error.headers.port !== port || error.headers.requestid !== requestid) throw new Error("the two are no pair");
    if (!error.fin || data.fin) throw new Error("the error stream must come half-closed, the data stream open");
    return { errorId: error.streamId, dataId: data.streamId, port, requestId: requestid };
  }

  /** Sends frames in one write. */
  send(...frames: readonly Exclude<Frame, { kind: "syn" }>[]): void {
    this.socket.write(Buffer.concat(frames.map(encode)));
  }

  /** Sends text on a stream, without or with its end. */
  say(streamId: number, text: string, fin = false): void {
    this.send({ kind: "data", streamId, fin, bytes: Buffer.from(text) });
  }

  /** Ends a stream. */
  fin(...streamIds: readonly number[]): void {
    this.send(...streamIds.map((streamId) => ({ kind: "data", streamId, fin: true, bytes: Buffer.alloc(0) }) as const));
  }
}
