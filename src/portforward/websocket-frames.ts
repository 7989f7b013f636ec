/**
 * WebSocket frames as a client has them (RFC 6455, section 5): written whole and masked, read from any chunking. Pure, and
 * without extensions. Used by websocket-messages.
 */

/** What a frame is for (RFC 6455, 11.8). */
export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** The payload limit of a control frame (RFC 6455, 5.5). */
export const maxControlPayload = 125;

/** No server of a port-forward sends frames near this size; a length beyond it is noise that looks like one. */
const maxPayload = 64 * 1024 * 1024;

const flagFin = 0x80;
const flagMask = 0x80;

/**
 * A frame with FIN set, masked. The payload is copied once and masked in the copy: callers keep what they wrote, to send
 * it again elsewhere.
 * @param code of `opcode`
 * @param key 4 bytes that nobody could foresee, new for each frame (RFC 6455, 5.3)
 */
export function encodeFrame(code: number, parts: readonly Uint8Array[], key: Uint8Array): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const headerLength = length < 126 ? 6 : length < 0x1_0000 ? 8 : 14;
  // So that the payload begins at a multiple of 4, for the mask to be laid on word by word.
  const pad = -headerLength & 3;
  const frame = Buffer.allocUnsafe(pad + headerLength + length).subarray(pad);
  frame[0] = flagFin | code;
  if (length < 126) {
    frame[1] = flagMask | length;
  } else if (length < 0x1_0000) {
    frame[1] = flagMask | 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = flagMask | 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.set(key.subarray(0, 4), headerLength - 4);
  let at = headerLength;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  mask(frame.subarray(headerLength), key);
  return frame;
}

/** Lays the mask on the bytes, or takes it off, in place. */
function mask(bytes: Buffer, key: Uint8Array): void {
  let at = 0;
  if (bytes.byteOffset % 4 === 0) {
    // Read in the machine's own order, as the words below are.
    const word = new Uint32Array(Uint8Array.from(key.subarray(0, 4)).buffer)[0] ?? 0;
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    for (let index = 0; index < words.length; index++) words[index] = (words[index] ?? 0) ^ word;
    at = words.length * 4;
  }
  for (; at < bytes.length; at++) bytes[at] = (bytes[at] ?? 0) ^ (key[at & 3] ?? 0);
}

/** What comes of the bytes, in order. Payloads are slices of what was pushed, and valid only if that is not reused. */
export interface WebSocketHandler {
  /** A binary message begins. */
  onMessage(): void;
  /** More of the message that began last; a part is never empty. */
  onPayload(bytes: Buffer): void;
  /** The message is complete. */
  onMessageEnd(): void;
  onPing(payload: Buffer): void;
  onPong(payload: Buffer): void;
  /** The last frame. 1005 stands for a close without a code (RFC 6455, 7.1.5). */
  onClose(code: number, reason: string): void;
}

/** The server broke the protocol; the connection is of no more use. */
export class WebSocketError extends Error {
  override readonly name = "WebSocketError";
}

/** Reads what a server sends. After a close frame it ignores all else. */
export class WebSocketReader {
  readonly #handler: WebSocketHandler;
  /** A frame's header, as far as it came. */
  readonly #header = Buffer.alloc(10);
  #headerLength = 0;
  #code: number = opcode.continuation;
  #isFinal = false;
  /** Payload bytes of the frame that are still to come; none: a header is next. */
  #left = 0;
  #control = Buffer.alloc(0);
  #inMessage = false;
  #isClosed = false;

  constructor(handler: WebSocketHandler) {
    this.#handler = handler;
  }

  /** @throws WebSocketError when these are no frames that a server may send */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#isClosed) {
      if (this.#left > 0) {
        const part = chunk.subarray(at, at + this.#left);
        at += part.length;
        this.#left -= part.length;
        this.#onPart(part);
      } else {
        // Its length is told by its second byte.
        this.#header[this.#headerLength++] = chunk[at++] ?? 0;
        if (this.#headerLength >= 2 && this.#headerLength === headerLengthOf(this.#header)) this.#onHeader();
      }
    }
  }

  #onHeader(): void {
    const [first = 0, second = 0] = this.#header;
    this.#headerLength = 0;
    this.#code = first & 0x0f;
    this.#isFinal = (first & flagFin) !== 0;
    if ((first & 0x70) !== 0) throw new WebSocketError("a frame of an extension that was not asked for");
    if ((second & flagMask) !== 0) throw new WebSocketError("a masked frame from the server");
    this.#left = payloadLengthOf(this.#header);
    if (this.#left > maxPayload) throw new WebSocketError(`a frame of ${this.#left} bytes`);
    if (isControl(this.#code)) this.#onControlHeader();
    else this.#onDataHeader();
    if (this.#left === 0) this.#onFrameEnd();
  }

  #onControlHeader(): void {
    if (this.#code > opcode.pong) throw new WebSocketError(`a frame of unknown kind ${this.#code}`);
    if (!this.#isFinal || this.#left > maxControlPayload) throw new WebSocketError("a control frame in parts");
    this.#control = Buffer.alloc(0);
  }

  #onDataHeader(): void {
    if (this.#code === opcode.text) throw new WebSocketError("a text message");
    if (this.#code > opcode.binary) throw new WebSocketError(`a frame of unknown kind ${this.#code}`);
    if (this.#inMessage !== (this.#code === opcode.continuation)) {
      throw new WebSocketError(this.#inMessage ? "a message within a message" : "the rest of no message");
    }
    if (this.#inMessage) return;
    this.#inMessage = true;
    this.#handler.onMessage();
  }

  #onPart(part: Buffer): void {
    if (isControl(this.#code)) this.#control = Buffer.concat([this.#control, part]);
    else this.#handler.onPayload(part);
    if (this.#left === 0) this.#onFrameEnd();
  }

  #onFrameEnd(): void {
    switch (this.#code) {
      case opcode.ping:
        this.#handler.onPing(this.#control);
        break;
      case opcode.pong:
        this.#handler.onPong(this.#control);
        break;
      case opcode.close:
        this.#onClose(this.#control);
        break;
      default:
        if (!this.#isFinal) return;
        this.#inMessage = false;
        this.#handler.onMessageEnd();
    }
  }

  #onClose(payload: Buffer): void {
    if (payload.length === 1) throw new WebSocketError("half a close code");
    this.#isClosed = true;
    const code = payload.length === 0 ? 1005 : payload.readUInt16BE(0);
    this.#handler.onClose(code, payload.toString("utf8", 2));
  }
}

function isControl(code: number): boolean {
  return code >= opcode.close;
}

function headerLengthOf(header: Buffer): number {
  const length = (header[1] ?? 0) & 0x7f;
  return length === 127 ? 10 : length === 126 ? 4 : 2;
}

function payloadLengthOf(header: Buffer): number {
  const length = (header[1] ?? 0) & 0x7f;
  if (length === 126) return header.readUInt16BE(2);
  // As a Number: what it cannot hold exactly is refused anyway.
  return length === 127 ? Number(header.readBigUInt64BE(2)) : length;
}
