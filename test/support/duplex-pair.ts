/**
 * Two ends of a byte channel in memory, as a loopback connection has them: what one writes the other reads in a later
 * turn of the event loop, a reader that stops stops the writer, an end that is destroyed ends the other's reading.
 */
import { Duplex } from "node:stream";

/** The two ends, each other's mirror. */
export interface DuplexPair {
  readonly near: Duplex;
  readonly far: Duplex;
}

/** Makes a pair. Half-open is allowed on both. */
export function duplexPair(): DuplexPair {
  const near = new End();
  const far = new End();
  near.join(far);
  far.join(near);
  return { near, far };
}

class End extends Duplex {
  #other: End | undefined;
  #ended = false;
  /** The other's write, held back until this end wants more. */
  #held: (() => void) | undefined;

  join(other: End): void {
    this.#other = other;
  }

  receive(chunk: Buffer, done: () => void): void {
    if (this.#ended || this.destroyed || this.push(chunk)) done();
    else this.#held = done;
  }

  receiveEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.push(null);
  }

  override _read(): void {
    const go = this.#held;
    this.#held = undefined;
    go?.();
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    setImmediate(() => this.#other?.receive(chunk, callback));
  }

  override _final(callback: () => void): void {
    setImmediate(() => {
      this.#other?.receiveEnd();
      callback();
    });
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    setImmediate(() => this.#other?.receiveEnd());
    this._read();
    callback(error);
  }
}
