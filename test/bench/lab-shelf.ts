/** Labs with many Services take minutes to make: one is kept until a row wants another. */
import type { Lab, LabWish } from "./lab.ts";

/** From so many Services on a lab is kept. */
const many = 100;

/** Lends labs. Disposing disposes the one that is kept. */
export class LabShelf implements AsyncDisposable {
  readonly #open: (wish: LabWish) => Promise<Lab>;
  #kept: { readonly lab: Lab; readonly wish: LabWish } | undefined;

  constructor(open: (wish: LabWish) => Promise<Lab>) {
    this.#open = open;
  }

  /** The kept one, if it has at least the ports and just as many Services and pods, or a new one. Whoever borrows it disposes it as if it were his own. */
  async lend(wish: LabWish): Promise<Lab> {
    if (this.#kept === undefined || !serves(this.#kept.wish, wish)) {
      await this.clear();
      const lab = await this.#open(wish);
      if ((wish.services ?? 1) < many) return lab;
      this.#kept = { lab, wish };
    }
    return { ...this.#kept.lab, async [Symbol.asyncDispose]() {} };
  }

  /** Disposes the one that is kept. */
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
  const isSame = (kept.services ?? 1) === (wish.services ?? 1) && (kept.pods ?? 1) === (wish.pods ?? 1);
  // Services but the first have the first port alone.
  return isSame && kept.ports[0] === wish.ports[0] && wish.ports.every((port) => kept.ports.includes(port));
}
