/** How often something took how long: counts by upper bounds, as Prometheus' histograms have them. Used by port-traffic. */

/** Upper bounds in ms of the buckets but the last, which has none. A bound belongs to its bucket. */
export const boundsMs: readonly number[] = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000];

/** Durations that were observed. */
export class Histogram {
  /** One for each bound and one for all that took longer; each duration counts once. */
  readonly #counts: number[] = new Array(boundsMs.length + 1).fill(0);
  #sumMs = 0;

  /** All durations together. */
  get sumMs(): number {
    return this.#sumMs;
  }

  /** By bucket, a copy. */
  get counts(): readonly number[] {
    return this.#counts.slice();
  }

  observe(ms: number): void {
    const found = boundsMs.findIndex((bound) => ms <= bound);
    const bucket = found < 0 ? boundsMs.length : found;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sumMs += ms;
  }
}
