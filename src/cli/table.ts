/** Columns of text, as kubectl prints them. Pure. */

/** One line a row, three spaces between columns, no space at a line's end. Cells lose line breaks and the like. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows].map((row) => row.map(oneLine));
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const format = (line: readonly string[]) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("   ");
  return lines.map((line) => `${format(line).trimEnd()}\n`).join("");
}

/** Text from a cluster, in one line: it may hold anything, and control characters would let it write all over the terminal. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ");
}
