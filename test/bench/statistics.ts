/** The few numbers that stand for many. Pure. */

/** The middle of several samples and how far they lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/**
 * The smallest value that at least `percent` of all values do not exceed (nearest rank): always one that was measured.
 * @throws RangeError for no values, or a percentage outside 0 to 100
 */
export function percentile(values: readonly number[], percent: number): number {
  if (!(percent >= 0 && percent <= 100)) throw new RangeError(`No percentile ${percent}: want 0 to 100`);
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  if (value === undefined) throw new RangeError("No percentile of no values");
  return value;
}

/**
 * Median (of an even number: between the two in the middle), least and greatest.
 * @throws RangeError for no values
 */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [lower, upper] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (lower === undefined || upper === undefined || min === undefined || max === undefined) {
    throw new RangeError("No median of no values");
  }
  return { median: (lower + upper) / 2, min, max };
}

/**
 * The spread of `a[i] / b[i]`: what was measured side by side is compared side by side. Undefined when there is nothing to
 * compare: no samples, not as many of both, or one that is not above 0.
 */
export function pairedRatio(a: readonly number[], b: readonly number[]): Spread | undefined {
  if (a.length === 0 || a.length !== b.length || [...a, ...b].some((value) => value <= 0)) return undefined;
  return spreadOf(a.map((value, index) => value / (b[index] ?? Number.NaN)));
}
