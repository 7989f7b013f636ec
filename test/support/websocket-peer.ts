/**
 * The server's end of a WebSocket once more, written plainly from RFC 6455 and sharing nothing with src/portforward: what
 * tests measure the product's client by.
 */
import { createHash } from "node:crypto";
import { Duplex } from "node:stream";

/** A frame that a client sent, unmasked. */
export interface ClientFrame {
  readonly fin: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
  readonly key: string;
}

/** The frame of a server; `fin` false leaves the message open, `opcode` 0 goes on with one. */
export function serverFrame(opcode: number, payload: Buffer, fin = true): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = (fin ? 0x80 : 0) + opcode;
  head[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeUInt32BE(length, 6);
  return Buffer.concat([head, payload]);
}

/** A close frame. */
export function closeFrame(code: number, reason = ""): Buffer {
  return serverFrame(8, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]));
}

/** The answer to a WebSocket upgrade with this head, by whatever subprotocol it asks for. */
export function webSocketAnswer(head: string): string {
  const field = (name: string) => new RegExp(`^${name}: *(.*?)\\r?$`, "im").exec(head)?.[1] ?? "";
  const accept = createHash("sha1")
    .update(`${field("sec-websocket-key")}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest("base64");
  return [
    "HTTP/1.1 101 Switching Protocols",
    "Connection: Upgrade",
    "Upgrade: websocket",
    `Sec-WebSocket-Accept: ${accept}`,
    `Sec-WebSocket-Protocol: ${field("sec-websocket-protocol")}`,
    "\r\n",
  ].join("\r\n");
}

/** Reads what a client sends. Throws at a frame without a mask. */
export class ClientFrames {
  #bytes = Buffer.alloc(0);

  /** The frames that are complete with these bytes. */
  push(bytes: Buffer): ClientFrame[] {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    const frames: ClientFrame[] = [];
    for (let frame = this.#take(); frame !== undefined; frame = this.#take()) frames.push(frame);
    return frames;
  }

  #take(): ClientFrame | undefined {
    const all = this.#bytes;
    if (all.length < 2) return undefined;
    const [first = 0, second = 0] = all;
    if (second < 128) throw new Error("a frame of a client without a mask");
    const short = second - 128;
    const head = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (all.length < head + 4) return undefined;
    const length = short === 127 ? Number(all.readBigUInt64BE(2)) : short === 126 ? all.readUInt16BE(2) : short;
    if (all.length < head + 4 + length) return undefined;
    const key = all.subarray(head, head + 4);
    const payload = Buffer.from(all.subarray(head + 4, head + 4 + length));
    payload.forEach((byte, index) => {
      payload[index] = byte ^ (key[index % 4] ?? 0);
    });
    this.#bytes = all.subarray(head + 4 + length);
    return { fin: first >= 128, opcode: first & 15, payload, key: key.toString("hex") };
  }
}

/** The frames that a server puts bytes into. */
export type Framing = (bytes: Buffer) => Buffer;

/** As gorilla does it: one frame, and above 4 KiB a second one that ends the message and holds nothing. */
export const asGorilla: Framing = (bytes) => {
  const isLarge = bytes.length > 4096;
  return Buffer.concat([serverFrame(2, bytes, !isLarge), ...(isLarge ? [serverFrame(0, Buffer.alloc(0))] : [])]);
};

/** As badly as the RFC allows: fragments of a few bytes, pings and pongs between them, empty ones, an empty message. */
export const inFragments: Framing = (bytes) => {
  const parts = [serverFrame(2, Buffer.alloc(0)), serverFrame(2, Buffer.alloc(0), false)];
  const length = Math.max(7, Math.ceil(bytes.length / 50));
  for (let at = 0; at < bytes.length; at += length) {
    parts.push(serverFrame(0, bytes.subarray(at, at + length), false), serverFrame(0, Buffer.alloc(0), false));
    parts.push(serverFrame(9, Buffer.from("there?")), serverFrame(10, Buffer.alloc(0)));
  }
  return Buffer.concat([...parts, serverFrame(0, Buffer.alloc(0))]);
};

/** The API server's side of a tunnel (apiserver `pkg/util/proxy/streamtunnel.go`): a byte stream out of a WebSocket. */
export class TunnelPeer extends Duplex {
  readonly #socket: Duplex;
  readonly #framing: Framing;
  readonly #frames = new ClientFrames();

  constructor(socket: Duplex, framing: Framing = asGorilla) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#framing = framing;
    socket.on("error", () => {});
    socket.on("end", () => this.push(null));
    socket.on("close", () => this.destroy());
    socket.on("data", (chunk: Buffer) => {
      for (const { opcode, payload } of this.#frames.push(chunk)) {
        if (opcode === 8) this.push(null);
        else if (opcode === 2 && !this.push(payload)) socket.pause();
      }
    });
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#socket.write(this.#framing(chunk), callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#socket.end(closeFrame(1000), () => callback());
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#socket.destroy();
    callback(error);
  }
}
