/**
 * A real Kubernetes cluster of one node, for tests: `await using cluster = await startCluster()`.
 * Uses the one that is up already, else starts it and stops it at the end. Needs Linux and root.
 */
import { type Executables, prepareExecutables, type RuntimeName } from "./executables.ts";
import { lastingTrouble } from "./health.ts";
import { importImage } from "./images.ts";
import { type ClusterLayout, clusterLayout } from "./layout.ts";
import { lockCluster } from "./lock.ts";
import { clusterRecord, readRecord, writeRecord } from "./record.ts";
import { type Cluster, openCluster } from "./running-cluster.ts";
import { startFromNothing } from "./start-cluster.ts";
import { stopCluster } from "./stop-cluster.ts";
import { sshdImageOf } from "./test-images.ts";

/** What a suite may choose. */
export interface ClusterOptions {
  /** Default: that of the cluster which is up, else "current". */
  readonly runtime?: RuntimeName | undefined;
  /** Gets a line for each thing that takes its time. Default: standard error. */
  readonly log?: (line: string) => void;
  /** Gives up starting, and later any wait of the cluster. */
  readonly signal?: AbortSignal;
  /** Default: the cluster that everybody shares. */
  readonly layout?: ClusterLayout;
}

/**
 * Finds the cluster healthy and uses it, or clears up what is left of it and starts it anew: also
 * when it has another runtime than asked for, or was built from something else. One program at a
 * time; a suite that disposes the cluster it has started ends it for those who joined later.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { layout = clusterLayout(), log = printLine, signal } = options;
  requireRoot();
  await using _lock = await lockCluster(layout, { log, signal });
  const runtime = options.runtime ?? (await readRecord(layout))?.runtime ?? "current";
  const executables = await prepareExecutables(runtime, log, signal);
  const startedHere = !(await isUp(layout, executables, log, signal));
  if (startedHere) {
    await startAnew(layout, executables, log, signal);
  } else {
    log(`Using the test cluster that is up (containerd: ${runtime})`);
    await bringSshd(layout, executables, signal);
  }
  const { LOCALIZER_TEST_CLUSTER: wish } = process.env;
  const onDispose = async () => {
    if (startedHere && wish !== "keep") await endCluster({ layout });
  };
  return openCluster(layout, executables, { startedHere, signal, onDispose });
}

/** Stops the cluster, whoever started it, and clears up what is left of one. The logs stay until the next start. */
export async function endCluster(options: Pick<ClusterOptions, "layout" | "log" | "signal"> = {}): Promise<void> {
  const { layout = clusterLayout(), log = printLine, signal } = options;
  requireRoot();
  await using _lock = await lockCluster(layout, { log, signal });
  await stopCluster(layout);
}

async function startAnew(
  layout: ClusterLayout,
  executables: Executables,
  log: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const begin = performance.now();
  await stopCluster(layout);
  log(`Starting the test cluster (containerd: ${executables.runtime})`);
  try {
    await startFromNothing(layout, executables, { log, signal });
  } catch (error) {
    await stopCluster(layout);
    throw error;
  }
  log(`The test cluster is up after ${((performance.now() - begin) / 1000).toFixed(1)} s`);
}

/** Tells why one that is there is not used. */
async function isUp(
  layout: ClusterLayout,
  executables: Executables,
  log: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const record = await readRecord(layout);
  if (record === undefined) return false;
  const isOther = record.fingerprint !== clusterRecord(layout, executables).fingerprint;
  const trouble = isOther ? "it was made of something else" : await lastingTrouble(layout, signal);
  if (trouble !== undefined) log(`The test cluster that is up is not used: ${trouble}`);
  return trouble === undefined;
}

/** Puts the image of sshd into a cluster that is up and has none, or another. */
async function bringSshd(layout: ClusterLayout, executables: Executables, signal?: AbortSignal): Promise<void> {
  const record = clusterRecord(layout, executables);
  if ((await readRecord(layout))?.sshd === record.sshd) return;
  await importImage(layout, executables.runtimeDir, await sshdImageOf(executables.sshd), signal);
  await writeRecord(layout, record);
}

function requireRoot(): void {
  const { platform } = process;
  if (platform !== "linux") throw new Error(`Cannot run the test cluster on ${platform}: it needs Linux`);
  if (process.geteuid?.() !== 0) throw new Error("Cannot run the test cluster: it needs root");
}

function printLine(line: string): void {
  process.stderr.write(`${line}\n`);
}
