/** The document that the bench writes: where and how it was measured, the table, and what limits each row. Pure. */
import type { Report } from "./bench.ts";
import { tableLines } from "./table.ts";

/** All of it. @param command the command line that was run, as it is to be repeated */
export function formatMarkdown({ startedAt, surroundings, settings, rows }: Report, command: string): string {
  const { processors, memoryGiB, kernel, node, kubernetes, containerd, loadAverage } = surroundings;
  const [headings = [], ...lines] = tableLines(rows);
  const minutes = Math.round(rows.reduce((sum, { seconds }) => sum + seconds, 0) / 60);
  return [
    "# Performance",
    "",
    "Written by the command below; nothing in it is written by hand.",
    "",
    `- Command: \`${command}\`, ${startedAt.slice(0, 10)}, ${minutes} minutes`,
    `- Machine: ${processors}, ${memoryGiB} GiB, ${kernel}; load ${loadAverage.toFixed(1)} before the start`,
    `- Versions: Kubernetes and kubectl ${kubernetes}, containerd ${containerd}, Node ${node}`,
    `- Cluster, tools and load generator share the processors. Contenders take turns; a figure is the median of ${settings.repeats} samples (crowd, idle, steady and many: ${settings.longRepeats}) with the lowest and the highest, the ratio that of neighbouring samples.`,
    "- `kubectl` is `kubectl port-forward` of the cluster's own binary; `relay` a plain TCP relay in Node in front of an application on loopback, without a cluster: the ceiling.",
    "",
    markdownLine(headings),
    markdownLine(headings.map(() => "---")),
    ...lines.map(markdownLine),
    "",
    "## What limits each row, and how it was measured",
    ...rows.flatMap(({ row, limits, notes, seconds, failure }) => [
      "",
      `### ${row}`,
      "",
      ...(failure === undefined ? [] : [`**Not measured to its end**: ${failure}`, ""]),
      limits.replaceAll("\n", " "),
      "",
      ...notes.map((note) => `- ${note}`),
      `- the row took ${seconds} s`,
    ]),
    "",
  ].join("\n");
}

function markdownLine(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
