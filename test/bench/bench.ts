/** All rows, one after the other, and what they were measured on. */
import { arch, cpus, loadavg, release, totalmem } from "node:os";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { buildPackage } from "./built-package.ts";
import { bulkRow } from "./bulk-row.ts";
import { burstRow } from "./burst-row.ts";
import { connectRow } from "./connect-row.ts";
import { crowdRow } from "./crowd-row.ts";
import { exposeRow } from "./expose-row.ts";
import { exposedRow } from "./exposed-row.ts";
import { failoverRow } from "./failover-row.ts";
import { halfRow } from "./half-row.ts";
import { idleRow } from "./idle-row.ts";
import { openLab } from "./lab.ts";
import { LabShelf } from "./lab-shelf.ts";
import { listRow } from "./list-row.ts";
import { manyRow } from "./many-row.ts";
import { rateRow } from "./rate-row.ts";
import { refusedRow } from "./refused-row.ts";
import { Recorder, type RowName, type RowResult } from "./results.ts";
import type { Row } from "./row.ts";
import { scaleRow } from "./scale-row.ts";
import type { Settings } from "./settings.ts";
import { startRow } from "./start-row.ts";
import { steadyRow } from "./steady-row.ts";
import { stuckRow } from "./stuck-row.ts";

/** Where it was measured. */
export interface Surroundings {
  readonly processors: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly kubernetes: string;
  readonly containerd: string;
  /** Over the last minute, before anything was measured. */
  readonly loadAverage: number;
}

/** Everything that goes into the JSON file. */
export interface Report {
  readonly startedAt: string;
  readonly surroundings: Surroundings;
  readonly settings: Settings;
  readonly rows: readonly RowResult[];
}

type Log = (line: string) => void;

const rowOf: Readonly<Record<RowName, Row>> = {
  connect: connectRow,
  burst: burstRow,
  rate: rateRow,
  bulk: bulkRow,
  half: halfRow,
  refused: refusedRow,
  stuck: stuckRow,
  crowd: crowdRow,
  idle: idleRow,
  failover: failoverRow,
  scale: scaleRow,
  expose: exposeRow,
  exposed: exposedRow,
  steady: steadyRow,
  many: manyRow,
  start: startRow,
  list: listRow,
};

/**
 * Measures the rows that the settings name. A row that fails is tried once more from the beginning, for the cluster may have
 * been restarted under it; then it is part of the report with its failure. When the signal is aborted the report is what
 * there is by then.
 */
export async function runBench(
  settings: Settings,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Log },
): Promise<Report> {
  // Held to the end, so that the rows find it up.
  await using cluster = await startCluster({ signal, log });
  await using localizer = await buildPackage();
  const surroundings = await lookAround(cluster);
  const startedAt = new Date().toISOString();
  await using shelf = new LabShelf((wish) => openLab({ ...wish, localizer, signal, log }));
  const rows: RowResult[] = [];
  for (const name of settings.rows) {
    if (signal.aborted) break;
    rows.push(await measureRow(name, settings, { shelf, signal, log }));
  }
  return { startedAt, surroundings, settings, rows };
}

async function measureRow(
  name: RowName,
  settings: Settings,
  { shelf, signal, log }: { readonly shelf: LabShelf; readonly signal: AbortSignal; readonly log: Log },
): Promise<RowResult> {
  const row = rowOf[name];
  const recorder = new Recorder(name, row.limits);
  for (let attempt = 1; ; attempt++) {
    log(attempt === 1 ? `Row ${name}` : `Row ${name}, again from the beginning`);
    try {
      await row.measure({
        settings,
        recorder,
        signal,
        log,
        openLab: (wish) => shelf.lend(wish),
      });
      return recorder.result();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      await shelf.clear();
      if (signal.aborted || attempt === 2) return recorder.result(message);
      log(`Row ${name} failed: ${message}`);
      recorder.restart(message.split("\n")[0] ?? "");
    }
  }
}

async function lookAround({ api }: Cluster): Promise<Surroundings> {
  const [version, nodes] = await Promise.all([api.get("/version"), api.get("/api/v1/nodes")]);
  const [processor] = cpus();
  const named = typeof version === "object" && version !== null && "gitVersion" in version;
  return {
    processors: `${cpus().length} × ${processor?.model ?? "unknown"} (${arch()})`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `Linux ${release()}`,
    node: process.version,
    kubernetes: named ? String(version.gitVersion) : "unknown",
    containerd: /"containerRuntimeVersion":"containerd:\/\/([^"]+)"/.exec(JSON.stringify(nodes))?.[1] ?? "unknown",
    loadAverage: loadavg()[0] ?? 0,
  };
}
