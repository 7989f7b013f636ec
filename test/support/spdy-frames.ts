/**
 * SPDY/3.1 once more, written plainly from the draft (2.2, 2.6) and sharing nothing with src/portforward: what tests
 * measure the product's reader and writer by.
 */
import { constants, inflateSync } from "node:zlib";

/** A frame with its meaning. `ignored` is a control frame that a port-forward has no use for. */
export type Frame =
  | { kind: "syn"; streamId: number; fin: boolean; headers: Readonly<Record<string, string>> }
  | { kind: "reply"; streamId: number; fin: boolean }
  | { kind: "data"; streamId: number; fin: boolean; bytes: Buffer }
  | { kind: "reset"; streamId: number; status: number }
  | { kind: "ping"; id: number }
  | { kind: "goaway" }
  | { kind: "ignored"; type: number; payload: Buffer };

/** The bytes of a frame that a runtime sends; it never sends a SYN_STREAM. */
export function encode(frame: Exclude<Frame, { kind: "syn" }>): Buffer {
  switch (frame.kind) {
    case "data":
      return Buffer.concat([uint32(frame.streamId), flagsAndLength(frame.fin, frame.bytes.length), frame.bytes]);
    case "reply":
      return control(2, frame.fin, uint32(frame.streamId));
    case "reset":
      return control(3, false, Buffer.concat([uint32(frame.streamId), uint32(frame.status)]));
    case "ping":
      return control(6, false, uint32(frame.id));
    case "goaway":
      return control(7, false, Buffer.alloc(8));
    case "ignored":
      return control(frame.type, false, frame.payload);
    default:
      return frame satisfies never;
  }
}

/** A control frame of any type. */
export function control(type: number, fin: boolean, payload: Buffer): Buffer {
  return Buffer.concat([uint32((0x8003_0000 | type) >>> 0), flagsAndLength(fin, payload.length), payload]);
}

/** Reads what a client sends, header blocks included. */
export class FrameDecoder {
  #bytes = Buffer.alloc(0);
  #blocks = Buffer.alloc(0);
  #inflated = 0;

  /** The frames that are complete with these bytes. */
  push(bytes: Buffer): Frame[] {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    const frames: Frame[] = [];
    while (this.#bytes.length >= 8) {
      const length = this.#bytes.readUIntBE(5, 3);
      if (this.#bytes.length < 8 + length) break;
      frames.push(this.#read(this.#bytes.subarray(0, 8), this.#bytes.subarray(8, 8 + length)));
      this.#bytes = this.#bytes.subarray(8 + length);
    }
    return frames;
  }

  #read(head: Buffer, payload: Buffer): Frame {
    const word = head.readUInt32BE(0);
    const fin = (head.readUInt8(4) & 1) === 1;
    if (word < 0x8000_0000) return { kind: "data", streamId: word, fin, bytes: Buffer.from(payload) };
    if (word >>> 16 !== 0x8003) throw new Error(`no SPDY/3.1: ${head.toString("hex")}`);
    const type = word & 0xffff;
    switch (type) {
      case 1:
        return { kind: "syn", streamId: payload.readUInt32BE(0), fin, headers: this.#headers(payload.subarray(10)) };
      case 2:
        return { kind: "reply", streamId: payload.readUInt32BE(0), fin };
      case 3:
        return { kind: "reset", streamId: payload.readUInt32BE(0), status: payload.readUInt32BE(4) };
      case 6:
        return { kind: "ping", id: payload.readUInt32BE(0) };
      case 7:
        return { kind: "goaway" };
      default:
        return { kind: "ignored", type, payload: Buffer.from(payload) };
    }
  }

  /** All header blocks of a connection are one zlib stream. */
  #headers(block: Buffer): Record<string, string> {
    this.#blocks = Buffer.concat([this.#blocks, block]);
    const all = inflateSync(this.#blocks, { finishFlush: constants.Z_SYNC_FLUSH });
    const own = all.subarray(this.#inflated);
    this.#inflated = all.length;
    return Object.fromEntries(nameValues(own));
  }
}

/** The pairs of a name/value header block (2.6.10), in order. Throws when its lengths do not add up. */
export function nameValues(block: Buffer): [name: string, value: string][] {
  let at = 4;
  const text = () => {
    const length = block.readUInt32BE(at);
    at += 4 + length;
    return block.toString("latin1", at - length, at);
  };
  const pairs = Array.from({ length: block.readUInt32BE(0) }, (): [string, string] => [text(), text()]);
  if (at !== block.length) throw new Error(`a header block of ${block.length} bytes ends at ${at}`);
  return pairs;
}

function flagsAndLength(fin: boolean, length: number): Buffer {
  return uint32((fin ? 0x0100_0000 : 0) + length);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}
