/** Who may write next onto a stream that many share. */
import type { Writable } from "node:stream";

/**
 * Runs what is handed in when the stream wants more, first come, first served. ssh2 itself takes no notice of a stream that is
 * full: each channel would put a window's worth into memory.
 */
export class WriteGate {
  readonly #stream: Writable;
  readonly #waiting: (() => void)[] = [];

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("drain", () => {
      while (!stream.writableNeedDrain) {
        const next = this.#waiting.shift();
        if (next === undefined) return;
        next();
      }
    });
  }

  /** At once or later; never when the stream is destroyed first. */
  run(write: () => void): void {
    if (this.#waiting.length > 0 || this.#stream.writableNeedDrain) this.#waiting.push(write);
    else write();
  }
}
