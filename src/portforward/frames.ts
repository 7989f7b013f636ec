/**
 * SPDY/3.1 frames as pods/portforward uses them: written as bytes, read from any chunking. Pure, and
 * zlib-free: the runtime's framer (moby/spdystream) takes a zlib stream without dictionary that is made
 * of stored blocks, and nothing is needed from the header blocks it sends. Used by spdy-connection.
 * Source: the SPDY/3.1 draft, sections 2.2 and 2.6.
 */

/** The payload limit of a DATA frame that we send; the server reads a frame whole before it passes it on. */
export const maxDataPayload = 64 * 1024;

/** Control frames larger than this are no port-forward's. */
const maxControlPayload = 64 * 1024;

const type = { synStream: 1, synReply: 2, rstStream: 3, ping: 6, goAway: 7 } as const;
const flagFin = 0x01;
const version = 3;

/** A SYN_STREAM's headers: names in lower case, in order. */
export type StreamHeaders = readonly (readonly [name: string, value: string])[];

/**
 * Writes frames of one connection. Stateful only in that the zlib stream of the header blocks has its
 * two header bytes before the first block.
 */
export class FrameWriter {
  #zlibStarted = false;

  /** SYN_STREAM with `headers`; `fin` half-closes our side at once. */
  synStream(streamId: number, headers: StreamHeaders, fin: boolean): Buffer {
    const length = headers.reduce((sum, [name, value]) => sum + 8 + name.length + value.length, 4);
    const zlibHeader = this.#zlibStarted ? 0 : 2;
    // One stored block holds at most 65,535 bytes (RFC 1951 3.2.4); ours is some 60.
    if (length > 0xffff) throw new RangeError(`a header block of ${length} bytes`);
    const frame = controlFrame(type.synStream, fin ? flagFin : 0, 10 + zlibHeader + 5 + length + 5);
    frame.writeUInt32BE(streamId, 8);
    // No associated stream, no priority.
    frame.fill(0, 12, 18);
    let at = 18;
    if (!this.#zlibStarted) {
      at = frame.writeUInt16BE(0x7801, at);
      this.#zlibStarted = true;
    }
    at = frame.writeUInt8(0, at);
    at = frame.writeUInt16LE(length, at);
    at = frame.writeUInt16LE(~length & 0xffff, at);
    at = frame.writeUInt32BE(headers.length, at);
    for (const [name, value] of headers) at = writeText(frame, value, writeText(frame, name, at));
    // An empty stored block: without it Go's inflater holds the bytes of the block before it back.
    frame.writeUInt32BE(0x000000ff, at);
    frame.writeUInt8(0xff, at + 4);
    return frame;
  }

  /** The 8 bytes before the payload of a DATA frame of `length` ≤ maxDataPayload bytes. */
  dataHeader(streamId: number, length: number, fin: boolean): Buffer {
    const header = Buffer.allocUnsafe(8);
    header.writeUInt32BE(streamId, 0);
    header.writeUInt32BE(((fin ? flagFin : 0) << 24) | length, 4);
    return header;
  }

  /** RST_STREAM with CANCEL (5): we want no more of this stream. */
  rstStream(streamId: number): Buffer {
    const frame = controlFrame(type.rstStream, 0, 8);
    frame.writeUInt32BE(streamId, 8);
    frame.writeUInt32BE(5, 12);
    return frame;
  }

  /** PING; the runtime sends it back with the same id. */
  ping(id: number): Buffer {
    return this.pings([id]);
  }

  /** Several, in order, in one piece. */
  pings(ids: readonly number[]): Buffer {
    const frames = Buffer.allocUnsafe(12 * ids.length);
    let at = 0;
    for (const id of ids) {
      at = frames.writeUInt32BE(0x8000_0000 + (version << 16) + type.ping, at);
      at = frames.writeUInt32BE(4, at);
      at = frames.writeUInt32BE(id, at);
    }
    return frames;
  }
}

/** What a reader tells of the frames that come in. */
export interface FrameHandler {
  /** A part of a DATA frame's payload, a view of the chunk that was pushed. Never empty. */
  onData(streamId: number, bytes: Buffer): void;
  /** The other side will send no more on this stream. Comes after its data. */
  onFin(streamId: number): void;
  /** SYN_REPLY: the stream was accepted. */
  onReply(streamId: number): void;
  /** RST_STREAM with its status code. */
  onReset(streamId: number, status: number): void;
  /** PING: an answer to ours when the id is odd. */
  onPing(id: number): void;
  /** GOAWAY: no new streams are taken. */
  onGoAway(): void;
}

/** Bytes that are no SPDY/3.1; the connection is of no more use. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** Reads frames from chunks of any size. Payload is passed on as it comes and never joined. */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #header = Buffer.alloc(8);
  #headerBytes = 0;
  /** Payload bytes of the current frame still to come; -1 while the header is incomplete. */
  #left = -1;
  #control: Buffer | undefined;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** @throws FrameError when the bytes are no SPDY/3.1; nothing may be pushed after that */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length || this.#left === 0) {
      if (this.#left < 0) at += this.#readHeader(chunk, at);
      else if (this.#control !== undefined) at += this.#readControl(chunk, at, this.#control);
      else at += this.#readData(chunk, at);
    }
  }

  #readHeader(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.#header, this.#headerBytes, at, at + 8 - this.#headerBytes);
    this.#headerBytes += taken;
    if (this.#headerBytes < 8) return taken;
    this.#left = this.#header.readUIntBE(5, 3);
    if (!this.#isControl()) return taken;
    if ((this.#header.readUInt16BE(0) & 0x7fff) !== version) throw new FrameError("not SPDY version 3");
    if (this.#left > maxControlPayload) throw new FrameError(`a control frame of ${this.#left} bytes`);
    this.#control = Buffer.alloc(this.#left);
    return taken;
  }

  #readData(chunk: Buffer, at: number): number {
    const streamId = this.#header.readUInt32BE(0);
    const bytes = chunk.subarray(at, at + this.#left);
    this.#left -= bytes.length;
    const ended = this.#left === 0;
    const fin = ended && (this.#header.readUInt8(4) & flagFin) !== 0;
    if (ended) this.#nextFrame();
    if (bytes.length > 0) this.#handler.onData(streamId, bytes);
    if (fin) this.#handler.onFin(streamId);
    return bytes.length;
  }

  #readControl(chunk: Buffer, at: number, control: Buffer): number {
    const taken = chunk.copy(control, control.length - this.#left, at, at + this.#left);
    this.#left -= taken;
    if (this.#left > 0) return taken;
    const kind = this.#header.readUInt16BE(2);
    const fin = (this.#header.readUInt8(4) & flagFin) !== 0;
    this.#nextFrame();
    this.#dispatch(kind, fin, control);
    return taken;
  }

  #dispatch(kind: number, fin: boolean, payload: Buffer): void {
    const id = () => {
      if (payload.length < 4) throw new FrameError(`a control frame of type ${kind} with ${payload.length} bytes`);
      return payload.readUInt32BE(0) & 0x7fff_ffff;
    };
    switch (kind) {
      case type.synReply:
        this.#handler.onReply(id());
        if (fin) this.#handler.onFin(id());
        return;
      case type.rstStream:
        this.#handler.onReset(id(), payload.length >= 8 ? payload.readUInt32BE(4) : 0);
        return;
      case type.ping:
        id();
        this.#handler.onPing(payload.readUInt32BE(0));
        return;
      case type.goAway:
        this.#handler.onGoAway();
        return;
      default:
      // SETTINGS, WINDOW_UPDATE, HEADERS and what is unknown mean nothing to a port-forward.
    }
  }

  #isControl(): boolean {
    return (this.#header.readUInt8(0) & 0x80) !== 0;
  }

  #nextFrame(): void {
    this.#left = -1;
    this.#headerBytes = 0;
    this.#control = undefined;
  }
}

/** Its head; what comes behind is not cleared. */
function controlFrame(kind: number, flags: number, length: number): Buffer {
  const frame = Buffer.allocUnsafe(8 + length);
  frame.writeUInt16BE(0x8000 | version, 0);
  frame.writeUInt16BE(kind, 2);
  frame.writeUInt32BE(((flags << 24) | length) >>> 0, 4);
  return frame;
}

/** The text behind its length (SPDY/3.1 2.6.10). Returns where it ends. */
function writeText(frame: Buffer, text: string, at: number): number {
  const start = frame.writeUInt32BE(text.length, at);
  return start + frame.write(text, start, "latin1");
}
