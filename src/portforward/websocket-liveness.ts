/**
 * Whether the other end of a WebSocket is still there, for those that carry no pings of their own: it is pinged, and lost
 * when nothing at all comes back. Promises one timer at most, none once disposed. Used by websocket-messages.
 */
import type { Clock } from "../clock.ts";

/** Between pings; none is sent while an answer is outstanding. */
const pingEveryMs = 10_000;

/** So long without a sign, an unanswered ping within it, the other end is lost. */
const lostAfterMs = 15_000;

/** When a look comes later than this, it was this process that was not there. */
const lateMs = 1_000;

/** More than this may wait for a slow application on its way, and the ping behind it. */
const slowReaderBytes = 64 * 1024;

/** The WebSocket that is watched. */
export interface WatchedWebSocket {
  /** Nobody reads it, so nothing can be heard. */
  isPaused(): boolean;
  /** What is sent waits here, and a ping would wait behind it. */
  hasBacklog(): boolean;
  ping(payload: Buffer): void;
  lost(reason: string): void;
}

/** Of one WebSocket. */
export class WebSocketLiveness implements Disposable {
  readonly #clock: Clock;
  readonly #socket: WatchedWebSocket;
  #heardMs: number;
  #pingedMs: number;
  #pings = 0;
  #isWaiting = false;
  /** Sent since a ping behind it was answered, and since the last ping. */
  #unproven = 0;
  #sincePing = 0;
  #timer: Disposable | undefined;

  constructor(clock: Clock, socket: WatchedWebSocket) {
    this.#clock = clock;
    this.#socket = socket;
    this.#heardMs = clock.monotonic();
    this.#pingedMs = this.#heardMs;
    this.#lookAgain();
  }

  /** Anything came. */
  heard(): void {
    this.#heardMs = this.#clock.monotonic();
  }

  /** So many bytes for the application were sent. */
  sent(bytes: number): void {
    this.#unproven += bytes;
    this.#sincePing += bytes;
  }

  /** A pong came: what was sent before its ping has been read. */
  answered(payload: Buffer): void {
    if (!this.#isWaiting || !payload.equals(this.#payload)) return;
    this.#isWaiting = false;
    this.#unproven = this.#sincePing;
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  get #payload(): Buffer {
    return Buffer.from(String(this.#pings));
  }

  #lookAgain(): void {
    const now = this.#clock.monotonic();
    const lostMs = this.#isWaiting ? this.#heardMs + lostAfterMs : Number.POSITIVE_INFINITY;
    const pingMs = this.#pingedMs + pingEveryMs;
    const dueMs = pingMs > now ? Math.min(pingMs, lostMs) : lostMs;
    this.#timer = this.#clock.after(dueMs - now, () => this.#look(dueMs));
  }

  #look(dueMs: number): void {
    const now = this.#clock.monotonic();
    const isStuck = this.#socket.hasBacklog() || this.#unproven > slowReaderBytes;
    if (isStuck || this.#socket.isPaused() || now - dueMs > lateMs) {
      this.#heardMs = now;
    } else if (this.#isWaiting && now - this.#heardMs >= lostAfterMs) {
      this.#socket.lost(`no answer for ${lostAfterMs / 1000} s`);
      return;
    }
    if (!this.#isWaiting && now - this.#pingedMs >= pingEveryMs) {
      this.#isWaiting = true;
      this.#pingedMs = now;
      this.#sincePing = 0;
      this.#pings++;
      this.#socket.ping(this.#payload);
    }
    this.#lookAgain();
  }
}
