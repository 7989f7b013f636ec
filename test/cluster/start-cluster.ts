/**
 * Brings a cluster up from nothing: directories, certificates, network, then the components in
 * an order in which none has to give up waiting for another. Returns when pods can be made.
 */
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ApiClient } from "./api-client.ts";
import { createCgroups } from "./cgroups.ts";
import { ComponentSet } from "./component-set.ts";
import { type ComponentName, componentNames } from "./components.ts";
import { cniConfig, containerdConfig, kubeletConfig } from "./config-files.ts";
import type { Executables } from "./executables.ts";
import { podsAreAccepted, proxyIsReady, serverIsReady } from "./health.ts";
import { saveKernelSettings } from "./host-traces.ts";
import { importImage, runtimeAnswers } from "./images.ts";
import { writeKubeconfig } from "./kubeconfig.ts";
import type { ClusterLayout } from "./layout.ts";
import { createNetwork } from "./network.ts";
import { nodeIsReady } from "./objects.ts";
import { createPki } from "./pki.ts";
import { clusterRecord, writeRecord } from "./record.ts";
import { sshdImageOf, testImages } from "./test-images.ts";
import { FinalError, together, waitFor } from "./wait.ts";

/** How a start reports and how it is given up. */
export interface StartOptions {
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Components that speak to the API server. The first two leave when it does not let them in yet. */
const apiUsers = ["kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"] as const;
const readyTimeoutMs = 90_000;
const tailLines = 15;

/**
 * Starts a cluster where nothing of one is. When that fails, prints the ends of the logs and
 * throws; what has been started is the caller's to stop.
 */
export async function startFromNothing(
  layout: ClusterLayout,
  executables: Executables,
  { log, signal }: StartOptions,
): Promise<void> {
  const components = new ComponentSet(layout, executables);
  try {
    await writeStateDir(layout, executables);
    await together(signal, [
      () => createPki(layout),
      () => createNetwork(layout),
      () => createCgroups(layout),
      () => saveKernelSettings(layout),
    ]);
    await writeKubeconfigs(layout);
    using api = await ApiClient.asAdmin(layout);
    for (const name of ["etcd", "containerd", "kube-apiserver"] as const) await components.start(name);
    await together(signal, [
      async (signal) => {
        const answers = () => runtimeAnswers(layout, executables.runtimeDir);
        await ready(components, "containerd to answer", answers, ["containerd"], signal);
        await importTestImages(layout, executables, signal);
      },
      (signal) => ready(components, "the API server", () => serverIsReady(api), ["etcd", "kube-apiserver"], signal),
    ]);
    for (const name of apiUsers) await components.start(name);
    await ready(components, "the node", () => nodeIsReady(api), componentNames, signal);
    await ready(components, "pods to be accepted", () => podsAreAccepted(api), componentNames, signal);
    await ready(components, "kube-proxy", () => proxyIsReady(layout), ["kube-proxy"], signal);
    await writeRecord(layout, clusterRecord(layout, executables));
  } catch (error) {
    signal?.throwIfAborted();
    await printLogTails(components, log);
    const detail = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot start the test cluster (logs are in ${layout.logDir}): ${detail}`, { cause: error });
  }
}

async function writeStateDir(layout: ClusterLayout, executables: Executables): Promise<void> {
  const inState = (name: string) => join(layout.stateDir, name);
  await rm(layout.logDir, { recursive: true, force: true });
  for (const name of ["cni", "bin"]) await mkdir(inState(name), { recursive: true, mode: 0o755 });
  await symlink(executables.kubebox, inState("bin/kubectl"));
  await writeFile(inState("kubelet.json"), kubeletConfig(layout));
  await writeFile(inState("containerd.toml"), containerdConfig(layout));
  await writeFile(inState("cni/10-pods.conflist"), cniConfig(layout));
}

async function writeKubeconfigs(layout: ClusterLayout): Promise<void> {
  await writeKubeconfig(layout, "admin", layout.kubeconfig);
  for (const name of apiUsers) await writeKubeconfig(layout, name, join(layout.stateDir, `${name}.kubeconfig`));
}

/** The sandbox image has to be there before the first pod is: a pull that fails is tried again half a minute later. */
async function importTestImages(layout: ClusterLayout, executables: Executables, signal: AbortSignal): Promise<void> {
  for (const image of await testImages(executables.testApp)) {
    await importImage(layout, executables.runtimeDir, image, signal);
  }
  await importImage(layout, executables.runtimeDir, await sshdImageOf(executables.sshd), signal);
}

/** Waits for something to be ready, but not for a component that has ended. */
async function ready(
  components: ComponentSet,
  what: string,
  probe: () => Promise<boolean>,
  watched: readonly ComponentName[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const watching = () => {
    const ended = components.missing().filter((name) => watched.includes(name));
    if (ended.length > 0) throw new FinalError(`${ended.join(", ")} ended`);
    return probe();
  };
  await waitFor(what, watching, { timeoutMs: readyTimeoutMs, signal });
}

async function printLogTails(components: ComponentSet, log: (line: string) => void): Promise<void> {
  for (const name of componentNames) {
    const text = await readFile(components.logFile(name), "utf8").catch(() => "");
    const lines = text.trimEnd().split("\n").slice(-tailLines);
    if (text === "") continue;
    log(`--- ${name}${components.process(name) === undefined ? " (ended)" : ""}: the last lines of its log`);
    for (const line of lines) log(`    ${line.slice(0, 400)}`);
  }
}
