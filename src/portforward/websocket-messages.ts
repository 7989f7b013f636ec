/**
 * A WebSocket over an upgraded socket, client side: binary messages out, their payloads in as they come. Promises an answer
 * to pings, a close that is told apart from a loss, back-pressure both ways, and bounded memory whatever the server does.
 * Used by websocket-tunnel and v4-channel.
 */
import { randomFillSync } from "node:crypto";
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { encodeFrame, opcode, type WebSocketHandler, WebSocketReader } from "./websocket-frames.ts";

/** The code of a close that is nobody's fault (RFC 6455, 7.4.1). */
export const normalClosure = 1000;

/** One who leaves waits no longer than this for the server to take more, and then for its end. */
const standstillMs = 30_000;

/** What comes in. */
export interface MessageHandler extends Pick<WebSocketHandler, "onMessage" | "onPayload"> {
  /** Anything came, before it is told what. */
  onHeard?(): void;
  /** The server closed the WebSocket in order: its last word. */
  onClose(code: number, reason: string): void;
  /** The answer to a ping. */
  onPong?(payload: Buffer): void;
  /** The connection is of no more use, and nobody said why: broken, cut, or no WebSocket. */
  onLost(reason: string): void;
}

/** The WebSocket. Says at most one of `onClose` and `onLost`, and neither after `close` or `leave`. */
export class WebSocketMessages {
  readonly #socket: Duplex;
  readonly #handler: MessageHandler;
  readonly #reader: WebSocketReader;
  readonly #keys = new MaskKeys();
  readonly #blocked: (() => void)[] = [];
  #isOver = false;
  /** The newest ping that could not be answered yet. */
  #owedPong: Buffer | undefined;
  #leaving: Disposable | undefined;

  /** @param head bytes that came with the upgrade's answer; they are read by `start` */
  constructor(socket: Duplex, handler: MessageHandler) {
    this.#socket = socket;
    this.#handler = handler;
    this.#reader = new WebSocketReader({
      onMessage: () => handler.onMessage(),
      onPayload: (bytes) => handler.onPayload(bytes),
      onMessageEnd: () => {},
      onPing: (payload) => this.#onPing(payload),
      onPong: (payload) => handler.onPong?.(payload),
      onClose: (code, reason) => this.#onClose(code, reason),
    });
    socket.on("data", (chunk: Buffer) => this.#onChunk(chunk));
    socket.on("drain", () => this.#onDrain());
    socket.on("end", () => this.#lose("the connection was ended"));
    socket.on("close", () => {
      this.#leaving?.[Symbol.dispose]();
      this.#lose("the connection was closed");
    });
    socket.on("error", (error) => this.#lose(error.message));
  }

  /** Begins to read: first the bytes that came with the upgrade's answer. */
  start(head: Buffer): void {
    if (head.length > 0) this.#onChunk(head);
  }

  /** One binary message; calls back when more may be sent. */
  send(parts: readonly Buffer[], callback: () => void): void {
    if (this.#isOver || this.#write(opcode.binary, parts)) callback();
    else this.#blocked.push(callback);
  }

  /** The server takes less than there is to send. */
  get hasBacklog(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Asks for an answer with the same payload, 125 bytes at most. */
  ping(payload: Buffer): void {
    if (!this.#isOver) this.#write(opcode.ping, [payload]);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isOver) this.#socket.resume();
  }

  /** Says goodbye behind all that was sent. What the server still says comes in. */
  end(): void {
    if (this.#isOver) return;
    this.#write(opcode.close, [closeCode(normalClosure)]);
    this.#socket.end();
  }

  /** Says goodbye, if that needs no waiting, and closes the connection. May be called twice. */
  close(): void {
    const isSilent = this.#isOver || this.#socket.writableLength > 0;
    this.#isOver = true;
    if (!isSilent) this.#write(opcode.close, [closeCode(normalClosure)]);
    this.#onDrain();
    this.#socket.destroy();
  }

  /**
   * Says goodbye behind all that was sent, and closes the connection when the server has closed it, or nothing has moved for
   * 30 s. What it still says is dropped, but read: to close before would have the kernel throw away what is on its way. May be
   * called twice; `close` cuts it short.
   */
  leave(clock: Clock): void {
    if (this.#leaving !== undefined) return;
    if (this.#isOver || !this.#socket.writable) {
      this.close();
      return;
    }
    this.#isOver = true;
    this.#write(opcode.close, [closeCode(normalClosure)]);
    this.#onDrain();
    this.#socket.end();
    this.#socket.resume();
    this.#closeAtStandstill(clock, Number.POSITIVE_INFINITY);
  }

  #closeAtStandstill(clock: Clock, before: number): void {
    const left = this.#socket.writableLength + (this.#socket.writableFinished ? 0 : 1);
    if (left >= before) this.#socket.destroy();
    else this.#leaving = clock.after(standstillMs, () => this.#closeAtStandstill(clock, left));
  }

  #onChunk(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#handler.onHeard?.();
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.#lose(error instanceof Error ? error.message : String(error));
    }
  }

  #onClose(code: number, reason: string): void {
    if (this.#isOver) return;
    // The answer that RFC 6455, 5.5.1 asks for; the handler closes.
    this.#write(opcode.close, [closeCode(code === 1005 ? normalClosure : code)]);
    this.#isOver = true;
    this.#handler.onClose(code, reason);
  }

  #lose(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#handler.onLost(reason);
  }

  #write(code: number, parts: readonly Buffer[]): boolean {
    return !this.#socket.writable || this.#socket.write(encodeFrame(code, parts, this.#keys.next()));
  }

  /** A server that does not read gets no more answers: only the newest ping needs one (RFC 6455, 5.5.3). */
  #onPing(payload: Buffer): void {
    if (this.#socket.writableNeedDrain) this.#owedPong = payload;
    else this.#write(opcode.pong, [payload]);
  }

  #onDrain(): void {
    const owed = this.#owedPong;
    this.#owedPong = undefined;
    if (owed !== undefined && !this.#isOver) this.#write(opcode.pong, [owed]);
    for (const callback of this.#blocked.splice(0)) callback();
  }
}

function closeCode(code: number): Buffer {
  return Buffer.from([code >>> 8, code & 0xff]);
}

/** Keys from the system's random numbers, fetched many at a time. */
class MaskKeys {
  readonly #bytes = Buffer.alloc(1024);
  #at = this.#bytes.length;

  next(): Buffer {
    if (this.#at === this.#bytes.length) {
      randomFillSync(this.#bytes);
      this.#at = 0;
    }
    this.#at += 4;
    return this.#bytes.subarray(this.#at - 4, this.#at);
  }
}
