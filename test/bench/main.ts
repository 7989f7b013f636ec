/**
 * `npm run bench`: measures localizer beside kubectl in the test cluster and prints one table; every sample goes into a JSON
 * file. Whatever it starts or makes is gone when it ends, also after Ctrl-C; only the JSON file stays.
 */
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type Report, runBench } from "./bench.ts";
import { formatMarkdown } from "./markdown.ts";
import { documentCommand, parseSettings, type Settings, UsageError, usage } from "./settings.ts";
import { formatResults } from "./table.ts";

async function main(args: readonly string[]): Promise<number> {
  const settings = parseSettings(args);
  if (settings === "help") {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const stop = new AbortController();
  let exitCode = 0;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) return;
      exitCode = 128 + constants.signals[name];
      log(`Interrupted by ${name}: cleaning up`);
      stop.abort(new Error(`Interrupted by ${name}`));
    });
  }
  try {
    const report = await runBench(settings, { signal: stop.signal, log });
    process.stdout.write(formatReport(report));
    process.stdout.write(`All samples: ${await writeReport(report, settings)}\n`);
    if (settings.markdownFile !== undefined && !stop.signal.aborted) {
      await mkdir(dirname(settings.markdownFile), { recursive: true });
      await writeFile(settings.markdownFile, formatMarkdown(report, documentCommand(args)));
    }
    if (report.rows.some(({ failure }) => failure !== undefined)) exitCode ||= 1;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  return exitCode;
}

function formatReport({ startedAt, surroundings, settings, rows }: Report): string {
  const { processors, memoryGiB, kernel, node, kubernetes, containerd, loadAverage } = surroundings;
  const lines = [
    `localizer bench, ${startedAt}`,
    `${processors}, ${memoryGiB} GiB, ${kernel}, Node ${node}, Kubernetes and kubectl ${kubernetes}, containerd ${containerd}`,
    `load ${loadAverage.toFixed(1)} before the start; cluster, tools and load generator share the processors`,
    `median (lowest–highest) of ${settings.repeats} samples (crowd, idle, steady and many: ${settings.longRepeats}); contenders took turns; the ratio is that of neighbouring samples`,
  ];
  return `${lines.join("\n")}\n\n${formatResults(rows)}`;
}

async function writeReport(report: Report, { jsonFile }: Settings): Promise<string> {
  const path = resolve(jsonFile ?? join(await mkdtemp(join(tmpdir(), "localizer-bench-")), "bench.json"));
  await writeFile(path, `${JSON.stringify(report, undefined, 2)}\n`);
  return path;
}

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(error instanceof UsageError ? `${message}\n${usage}\n` : `${message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
