/** The byte channel below an SSH connection, made into what ssh2 needs: it ends as a whole, and each tick's writes leave as one. */
import { Duplex } from "node:stream";

/** So much is taken before whoever writes has to wait. */
const highWaterMark = 256 * 1024;

/** Told of every byte, by their number. */
export interface CarrierWatch {
  heard(bytes: number): void;
  sent(bytes: number): void;
}

/**
 * Stands between ssh2 and the transport, which it owns. Without ssh2's native part each SSH packet is three writes; on a
 * transport of frames that would be three frames. When the transport's other end is done all is closed: ssh2 would not
 * notice (a socket that is half-open looks healthy to it).
 */
export class Carrier extends Duplex {
  readonly #transport: Duplex;
  readonly #watch: CarrierWatch;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #blocked = false;
  #held: (() => void) | undefined;

  constructor(transport: Duplex, watch: CarrierWatch) {
    super({ allowHalfOpen: false, readableHighWaterMark: highWaterMark, writableHighWaterMark: highWaterMark });
    this.#transport = transport;
    this.#watch = watch;
    this.once("end", () => this.destroy());
    transport.on("error", (error) => this.destroy(error));
    transport.on("close", () => this.destroy());
    transport.on("drain", () => {
      this.#blocked = false;
      this.#release();
    });
    if (transport.destroyed || transport.readableEnded) {
      this.destroy(transport.errored ?? undefined);
      return;
    }
    transport.on("end", () => this.push(null));
    transport.on("data", (chunk: Buffer) => {
      this.#watch.heard(chunk.length);
      if (!this.push(chunk)) transport.pause();
    });
  }

  override _read(): void {
    this.#transport.resume();
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pending.length === 1) process.nextTick(() => this.#flush());
    if (this.#blocked || this.#pendingBytes >= highWaterMark) this.#held = callback;
    else callback();
  }

  override _final(callback: () => void): void {
    this.#flush();
    this.#transport.end(callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#pending = [];
    this.#transport.destroy();
    callback(error);
  }

  #flush(): void {
    const pending = this.#pending;
    const [first] = pending;
    if (first === undefined || this.#transport.writableEnded) return;
    this.#pending = [];
    this.#watch.sent(this.#pendingBytes);
    this.#pendingBytes = 0;
    this.#blocked = !this.#transport.write(pending.length === 1 ? first : Buffer.concat(pending));
    if (!this.#blocked) this.#release();
  }

  #release(): void {
    const go = this.#held;
    this.#held = undefined;
    go?.();
  }
}
