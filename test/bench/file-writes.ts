/** Counts how often a file is written, by looking at it. */
import { statSync } from "node:fs";

/** Writes that follow each other within this are one: localizer leaves 250 ms between two. */
const everyMs = 20;

/** Looks all the time until it is disposed. */
export class FileWrites implements Disposable {
  readonly #path: string;
  readonly #looking: NodeJS.Timeout;
  #state: string;
  #count = 0;

  constructor(path: string) {
    this.#path = path;
    this.#state = this.#read();
    this.#looking = setInterval(() => this.look(), everyMs);
  }

  /** Since it was made. */
  get count(): number {
    return this.#count;
  }

  /** Replaced by rename it has another inode, written in place another time. */
  look(): void {
    const state = this.#read();
    if (state !== this.#state) this.#count++;
    this.#state = state;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#looking);
  }

  #read(): string {
    const { ino, mtimeNs, size } = statSync(this.#path, { bigint: true });
    return `${ino} ${mtimeNs} ${size}`;
  }
}
