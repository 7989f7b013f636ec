/** For how long Leases have given no sign of life, as far as it was watched. Pure: time is told. */
import type { SeenLease } from "./session-lease.ts";

interface Silence {
  readonly resourceVersion: string;
  readonly ms: number;
}

/** Remembers the Leases of the look before. Time in which nobody could look, or could have written, is not to be told. */
export class Silences {
  /** By uid. */
  #known: ReadonlyMap<string, Silence> = new Map();

  /** The Leases as they are now, `gapMs` after the look before. Those that are not among them are forgotten. */
  look(leases: readonly Pick<SeenLease, "uid" | "resourceVersion">[], gapMs: number): void {
    this.#known = new Map(
      leases.map(({ uid, resourceVersion }) => {
        const before = this.#known.get(uid);
        const isSilent = before?.resourceVersion === resourceVersion;
        return [uid, { resourceVersion, ms: isSilent ? before.ms + gapMs : 0 }];
      }),
    );
  }

  /** 0 for one that was not seen twice without a change. */
  of({ uid }: Pick<SeenLease, "uid">): number {
    return this.#known.get(uid)?.ms ?? 0;
  }
}
