/** One connection to a forwarded port, as a Duplex that keeps a Duplex's promises; ssh2's own channel does not. */
import { Duplex } from "node:stream";
import type { Channel } from "ssh2";
import { LocalizerError } from "../errors.ts";
import { receiveWindowBytes } from "./receive-windows.ts";
import type { WriteGate } from "./write-gate.ts";

/** What a channel works with. */
export interface ChannelParts {
  readonly gate: WriteGate;
  /** Promises the server room for so many bytes more. */
  readonly grant: (bytes: number) => void;
  /** The server sent more than it was promised room for. */
  readonly onFlood: () => void;
  /** Nothing is left of it, on neither side. */
  readonly onGone: () => void;
}

/**
 * ssh2's channel is not destroyed by `destroy()`, its writes never call back once it is closed, and it says `close` only when
 * it was read to the end. So it is always read at once, into here: what waits is bounded by the window, which is renewed as
 * this is read.
 *
 * Destroying it before both directions have ended closes the channel, which takes what is still on its way to the server with it.
 * When the server has closed the channel what it sent before can still be read, and writes go nowhere, as with a TCP connection.
 */
export class ForwardedChannel extends Duplex {
  readonly #channel: Channel;
  readonly #parts: ChannelParts;
  /** What the server may still send. */
  #window = receiveWindowBytes;
  /** ssh2's channel is not to be touched any more: the server has closed it, or the connection is lost. */
  #over = false;
  #writing: (() => void) | undefined;

  constructor(channel: Channel, parts: ChannelParts) {
    // Node asks for more (_read) only below the mark; half a window then fits.
    super({ readableHighWaterMark: receiveWindowBytes / 2, writableHighWaterMark: 64 * 1024 });
    this.#channel = channel;
    this.#parts = parts;
    this.on("error", () => {});
    channel.on("error", (error: Error) => this.destroy(LocalizerError.from(error, "unavailable")));
    channel.on("data", (chunk: Buffer) => this.#receive(chunk));
    channel.once("end", () => {
      if (!this.destroyed) this.push(null);
    });
    channel.once("close", () => this.#serverClosed());
    this.once("end", () => this.#leaveIfOver());
    this.once("close", () => {
      if (this.#over) parts.onGone();
    });
  }

  /** The connection below is lost: no word to the server. */
  abandon(reason: LocalizerError): void {
    const wasGone = this.closed;
    this.#over = true;
    if (wasGone) this.#parts.onGone();
    else this.destroy(reason);
  }

  override _read(): void {
    const granted = receiveWindowBytes - this.#window - this.readableLength;
    if (granted < receiveWindowBytes / 4 || this.#over || this.readableEnded) return;
    this.#window += granted;
    this.#touch(() => this.#parts.grant(granted));
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.#writing = callback;
    this.#parts.gate.run(() => {
      if (this.#over || this.destroyed) this.#written();
      else this.#touch(() => this.#channel.write(chunk, () => this.#written()));
    });
  }

  override _final(callback: () => void): void {
    if (!this.#over) this.#touch(() => this.#channel.end());
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const inOrder = this.readableEnded && this.writableFinished;
    // After a normal end the server closes when its caller has got everything.
    if (!this.#over && !inOrder) this.#touch(() => this.#channel.close());
    callback(error);
  }

  #receive(chunk: Buffer): void {
    this.#window -= chunk.length;
    if (this.#window < 0) this.#parts.onFlood();
    else if (!this.destroyed) this.push(chunk);
  }

  #serverClosed(): void {
    if (this.#over) return;
    this.#over = true;
    this.#written();
    if (this.closed) this.#parts.onGone();
    else this.#leaveIfOver();
  }

  #leaveIfOver(): void {
    if (this.#over && this.readableEnded) this.destroy();
  }

  #written(): void {
    const callback = this.#writing;
    this.#writing = undefined;
    callback?.();
  }

  /** ssh2 throws on what is asked of it after a fatal error. */
  #touch(ask: () => void): void {
    try {
      ask();
    } catch (error) {
      this.#over = true;
      this.destroy(LocalizerError.wrap(error, "Cannot use SSH channel", "unavailable"));
    }
  }
}
