/** Rows as a table for people. Pure. */
import { type ContenderName, contenderNames, type MeasureResult, type RowResult, type Value } from "./results.ts";
import { pairedRatio, type Spread, spreadOf } from "./statistics.ts";

const headings = ["row", "measure", "unit", "better", ...contenderNames, "localizer / kubectl", "reach"];

/** One table of all rows, a line for each measure that is no detail, then the notes of each row. Ends with a newline. */
export function formatResults(rows: readonly RowResult[]): string {
  const remarks = rows.flatMap(({ row, notes, failure }) => [
    ...notes.map((note) => `${row}: ${note}`),
    ...(failure === undefined ? [] : [`${row}: FAILED: ${failure}`]),
  ]);
  return [...align(tableLines(rows)), "", ...remarks, ""].join("\n");
}

/** The cells of the table, headings first. */
export function tableLines(rows: readonly RowResult[]): readonly (readonly string[])[] {
  const lines = rows.flatMap(({ row, measures }) =>
    measures.filter(({ detail }) => detail !== true).map((measure) => measureLine(row, measure)),
  );
  return [headings, ...lines];
}

/** `12.3 (11.0–14.1)`: median, lowest and highest; one sample stands alone. */
export function formatSpread({ median, min, max }: Spread): string {
  if (min === max) return formatNumber(median);
  return `${formatNumber(median)} (${formatNumber(min)}–${formatNumber(max)})`;
}

/** A whole number as it is; else three digits that count, and none of the whole part lost: 0.0123, 1.23, 12.3, 1234. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value) || !Number.isFinite(value)) return String(value);
  const digitsBefore = Math.floor(Math.log10(Math.abs(value))) + 1;
  return value.toFixed(Math.max(0, Math.min(4, 3 - digitsBefore)));
}

/** The spread of the figures, and each word with how often it came: `exits 3 of 3`. */
export function formatValues(values: readonly Value[]): string {
  const numbers = values.filter((value) => typeof value === "number");
  const words = values.filter((value) => typeof value === "string");
  const counted = [...new Set(words)].map((word) => {
    const count = words.filter((other) => other === word).length;
    return `${word} ${count} of ${values.length}`;
  });
  const parts = numbers.length === 0 ? counted : [formatSpread(spreadOf(numbers)), ...counted];
  return parts.length === 0 ? "-" : parts.join(", ");
}

function measureLine(row: string, { name, unit, better, samples, reach }: MeasureResult): readonly string[] {
  const cell = (contender: ContenderName) => formatValues(samples[contender] ?? []);
  const pairs = numberPairs(samples.localizer ?? [], samples.kubectl ?? []);
  const ratio = pairedRatio(
    pairs.map(([a]) => a),
    pairs.map(([, b]) => b),
  );
  const compared = ratio === undefined ? "-" : formatSpread(ratio);
  return [row, name, unit, better, ...contenderNames.map(cell), compared, reach ?? ""];
}

/** Of samples that were taken side by side, those where both are figures. */
function numberPairs(a: readonly Value[], b: readonly Value[]): readonly (readonly [number, number])[] {
  if (a.length !== b.length) return [];
  return a.flatMap((value, index) => {
    const other = b[index];
    return typeof value === "number" && typeof other === "number" ? [[value, other] as const] : [];
  });
}

function align(lines: readonly (readonly string[])[]): readonly string[] {
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
