/** Making and deleting a lab takes seconds, with many Services minutes: the last one is kept until a row wants another. */
import type { Lab, LabWish } from "./lab.ts";

/** From so many Services on a lab may have a port more than a row wants. */
const many = 100;

/** Lends labs. Disposing disposes the one that is kept. */
export class LabShelf implements AsyncDisposable {
  readonly #open: (wish: LabWish) => Promise<Lab>;
  #kept: { readonly lab: Lab; readonly wish: LabWish } | undefined;

  constructor(open: (wish: LabWish) => Promise<Lab>) {
    this.#open = open;
  }

  /** The kept one, if it is as wished, or a new one. Whoever borrows it may dispose it: that leaves it on the shelf. */
  async lend(wish: LabWish): Promise<Lab> {
    if (this.#kept === undefined || !serves(this.#kept.wish, wish)) {
      await this.clear();
      this.#kept = { lab: await this.#open(wish), wish };
    }
    return { ...this.#kept.lab, async [Symbol.asyncDispose]() {} };
  }

  /** Disposes the one that is kept: it may be broken, say. */
  async clear(): Promise<void> {
    const kept = this.#kept;
    this.#kept = undefined;
    await kept?.lab[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.clear();
  }
}

function serves(kept: LabWish, wish: LabWish): boolean {
  const services = kept.services ?? 1;
  if (services !== (wish.services ?? 1) || (kept.pods ?? 1) !== (wish.pods ?? 1)) return false;
  if (services < many) return kept.ports.join() === wish.ports.join();
  // Services but the first have the first port alone.
  return kept.ports[0] === wish.ports[0] && wish.ports.every((port) => kept.ports.includes(port));
}
