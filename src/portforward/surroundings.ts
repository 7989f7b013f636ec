/**
 * What connections depend on and nobody tells: that this machine stayed awake, and in the same network. Looked at by whoever
 * has connections or makes one; at rest nobody looks. Used by pod-dialer and choose-engine.
 */
import type { Clock } from "../clock.ts";

/** A difference between wall clock and monotonic clock that means that the machine slept. */
const jumpMs = 5_000;

/** Interfaces are looked at no more often. */
const everyMs = 1_000;

/** What it looks at. */
export interface SurroundingsParts {
  readonly clock: Clock;
  /** This machine's own in the network; without it the network is always the same. */
  readonly addresses?: () => ReadonlySet<string>;
}

/** Counts changes. */
export class Surroundings {
  readonly #parts: SurroundingsParts;
  #changes = 0;
  /** Wall clock less monotonic clock: what differs from it slept. */
  #offsetMs: number;
  #addresses: ReadonlySet<string> | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(parts: SurroundingsParts) {
    this.#parts = parts;
    this.#offsetMs = parts.clock.now() - parts.clock.monotonic();
  }

  /** Looks. The number is another one than before when the machine has slept or changed its network. */
  look(): number {
    const { clock, addresses } = this.#parts;
    const offsetMs = clock.now() - clock.monotonic();
    if (Math.abs(offsetMs - this.#offsetMs) > jumpMs) this.changed();
    this.#offsetMs = offsetMs;
    if (addresses === undefined || clock.monotonic() - this.#lookedMs < everyMs) return this.#changes;
    this.#lookedMs = clock.monotonic();
    const before = this.#addresses;
    this.#addresses = addresses();
    // What changed before the first look was changed before the first connection.
    if (before !== undefined && before.symmetricDifference(this.#addresses).size > 0) this.changed();
    return this.#changes;
  }

  /** Somebody noticed it otherwise. */
  changed(): void {
    this.#changes++;
  }

  /** False when no interface has the address any more. Loopback is always there. */
  isOurs(address: string): boolean {
    this.look();
    const plain = address.replace(/^::ffff:/, "");
    if (this.#addresses === undefined || /^127\.|^::1$/.test(plain)) return true;
    return this.#addresses.has(plain);
  }
}
