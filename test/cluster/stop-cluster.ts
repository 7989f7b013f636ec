/**
 * Stops a cluster, whole or in pieces, and puts the machine back as it was. Works from what is
 * there, so that it also clears up after a start that was killed half-way. The logs stay.
 */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { removeCgroups } from "./cgroups.ts";
import { type ClusterProcess, clusterProcesses } from "./cluster-processes.ts";
import { componentProcess } from "./component-set.ts";
import type { ComponentName } from "./components.ts";
import { signalProcess, stopProcesses } from "./detached-process.ts";
import { removeHostTraces } from "./host-traces.ts";
import type { ClusterLayout } from "./layout.ts";
import { leftovers } from "./leftovers.ts";
import { unmountUnder } from "./mounts.ts";
import { removeNetwork } from "./network.ts";
import { waitFor } from "./wait.ts";

// Everything they would save is thrown away, and an API server waits for open watches as long as it is let.
const graceMs = 1500;
const shimsEndMs = 3000;

/** Stops everything and throws when something is left. Does nothing where there is no cluster. */
export async function stopCluster(layout: ClusterLayout): Promise<void> {
  await stopComponents(layout, ["kubelet", "kube-proxy", "kube-controller-manager", "kube-scheduler"]);
  await Promise.all([endPods(layout), stopComponents(layout, ["kube-apiserver", "etcd"])]);
  await stopComponents(layout, ["containerd"]);
  await killRest(layout);
  await unmountUnder(layout.stateDir);
  await removeNetwork(layout);
  await removeCgroups(layout);
  await removeHostTraces(layout);
  await emptyStateDir(layout);
  const left = leftovers(layout);
  if (left.length > 0) throw new Error(`Cannot stop the test cluster, still there: ${left.join(", ")}`);
}

async function stopComponents(layout: ClusterLayout, names: readonly ComponentName[]): Promise<void> {
  const identities = names.map((name) => componentProcess(layout, name));
  await stopProcesses(
    identities.filter((identity) => identity !== undefined),
    graceMs,
  );
}

/** Kills what runs in pods; containerd then deletes the tasks, and their shims end by themselves. */
async function endPods(layout: ClusterLayout): Promise<void> {
  const ofKind = (kind: ClusterProcess["kind"]) => clusterProcesses(layout).filter((process) => process.kind === kind);
  for (const process of ofKind("pod")) signalProcess(process, "SIGKILL");
  if (componentProcess(layout, "containerd") === undefined) return;
  const allEnded = () => ofKind("shim").length === 0;
  await waitFor("shims to end", allEnded, { timeoutMs: shimsEndMs, isExact: true, intervalMs: 50 }).catch(() => {});
}

/** A killed process may leave children that were not to be seen before: so more than one round. */
async function killRest(layout: ClusterLayout): Promise<void> {
  for (let round = 0; round < 5; round++) {
    const rest = clusterProcesses(layout);
    if (rest.length === 0) return;
    await stopProcesses(rest, 0);
  }
}

async function emptyStateDir(layout: ClusterLayout): Promise<void> {
  for (const name of await readdir(layout.stateDir).catch(() => [])) {
    const path = join(layout.stateDir, name);
    if (path !== layout.logDir) await rm(path, { recursive: true, force: true });
  }
}
