/** Rows as a table for people. Pure. */
import { type ContenderName, contenderNames, type MeasureResult, type RowResult } from "./results.ts";
import { pairedRatio, type Spread, spreadOf } from "./statistics.ts";

const headings = ["row", "measure", "unit", "better", ...contenderNames, "localizer / kubectl"];

/** One table of all rows, a line for each measure that is no detail, then the notes of each row. Ends with a newline. */
export function formatResults(rows: readonly RowResult[]): string {
  const lines = rows.flatMap(({ row, measures }) =>
    measures.filter(({ detail }) => detail !== true).map((measure) => measureLine(row, measure)),
  );
  const remarks = rows.flatMap(({ row, notes, failure }) => [
    ...notes.map((note) => `${row}: ${note}`),
    ...(failure === undefined ? [] : [`${row}: FAILED: ${failure}`]),
  ]);
  return [...align([headings, ...lines]), "", ...remarks, ""].join("\n");
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

function measureLine(row: string, { name, unit, better, samples }: MeasureResult): readonly string[] {
  const cell = (contender: ContenderName) => {
    const values = samples[contender] ?? [];
    return values.length === 0 ? "-" : formatSpread(spreadOf(values));
  };
  const ratio = pairedRatio(samples.localizer ?? [], samples.kubectl ?? []);
  return [row, name, unit, better, ...contenderNames.map(cell), ratio === undefined ? "-" : formatSpread(ratio)];
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
