/**
 * The reading half of a connection: frames from the socket, and the brake that a slow reader pulls. Used by
 * spdy-connection.
 */
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { type FrameHandler, FrameReader } from "./frames.ts";

/** What it tells, beside the frames. */
export interface FrameListener extends FrameHandler {
  /** Nothing more will come. */
  onLost(reason: string): void;
}

/** Made by SpdyConnection; it lives as long as the socket. */
export class FrameReceiver {
  readonly #socket: Duplex;
  readonly #clock: Clock;
  readonly #reader: FrameReader;
  readonly #listener: FrameListener;
  /** Who is behind with reading: one is enough to keep the socket paused. */
  readonly #full = new Set<number>();
  #lastHeardMs: number;
  #resumedMs = Number.NEGATIVE_INFINITY;

  constructor(socket: Duplex, clock: Clock, listener: FrameListener) {
    this.#socket = socket;
    this.#clock = clock;
    this.#listener = listener;
    this.#reader = new FrameReader(listener);
    this.#lastHeardMs = clock.monotonic();
    socket.on("data", (chunk: Buffer) => this.push(chunk));
    socket.on("end", () => listener.onLost("the connection was ended"));
    socket.on("close", () => listener.onLost("the connection was closed"));
    socket.on("error", (error) => listener.onLost(error.message));
  }

  /** When bytes came last, or nothing could be heard by our own doing. */
  get lastHeardMs(): number {
    return this.#lastHeardMs;
  }

  /** A reader is behind. */
  get isPaused(): boolean {
    return this.#full.size > 0;
  }

  /** Nothing may have been read for a while since this time. */
  wasPausedSince(timeMs: number): boolean {
    return this.isPaused || this.#resumedMs >= timeMs;
  }

  /** How many are. */
  get behind(): number {
    return this.#full.size;
  }

  /** Bytes that came. */
  push(chunk: Buffer): void {
    this.#lastHeardMs = this.#clock.monotonic();
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.#listener.onLost(LocalizerError.from(error).message);
    }
  }

  /** This reader is behind. */
  pause(id: number): void {
    this.#full.add(id);
    this.#socket.pause();
  }

  /** It is so no more; says whether it was. */
  resume(id: number): boolean {
    const wasBehind = this.#full.delete(id);
    if (wasBehind && this.#full.size === 0) {
      this.#resumedMs = this.#clock.monotonic();
      this.#socket.resume();
    }
    return wasBehind;
  }

  /** Silence until now is nobody's fault. */
  excuse(): void {
    this.#lastHeardMs = this.#clock.monotonic();
  }
}
