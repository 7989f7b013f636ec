/**
 * What a suite does with a cluster that is up: kubectl, objects, images, waiting, breaking things.
 * Made by `startCluster`, see cluster.ts.
 */
import { ApiClient } from "./api-client.ts";
import { ComponentSet } from "./component-set.ts";
import type { ComponentName } from "./components.ts";
import type { Executables, RuntimeName } from "./executables.ts";
import { serverIsReady } from "./health.ts";
import type { Image } from "./image-archive.ts";
import { importImage, runtimeAnswers } from "./images.ts";
import { kubectlEnvironment, kubectlPath } from "./kubectl.ts";
import type { ClusterLayout } from "./layout.ts";
import { type ReadyPod, readyAddresses, readyPods } from "./objects.ts";
import { runCommand } from "./run-command.ts";
import { waitFor } from "./wait.ts";

/** A cluster that is up. Disposing stops it, unless it was up before or LOCALIZER_TEST_CLUSTER is "keep". */
export interface Cluster extends AsyncDisposable {
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** https URL of the API server. */
  readonly server: string;
  readonly stateDir: string;
  readonly layout: ClusterLayout;
  readonly runtime: RuntimeName;
  /** Path of a kubectl of the cluster's version. */
  readonly kubectlPath: string;
  /** False when it was up before. */
  readonly startedHere: boolean;
  /** Calls the API server as administrator. */
  readonly api: ApiClient;
  /** The components, for tests that break them. */
  readonly processes: ClusterComponents;
  /** Runs kubectl as administrator and returns what it prints. Throws CommandError. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<string>;
  /** Creates or updates objects. */
  apply(objects: readonly object[]): Promise<void>;
  /** Puts an image into the runtime; pods name it with `imagePullPolicy: Never`. */
  importImage(image: Image): Promise<void>;
  /** Waits until exactly `count` pods of a selector are ready, not counting those being deleted. */
  waitForReadyPods(
    namespace: string,
    selector: string,
    count: number,
    timeoutMs?: number,
  ): Promise<readonly ReadyPod[]>;
  /** Waits until a service has exactly `count` ready addresses, and returns them. */
  waitForEndpoints(namespace: string, service: string, count: number, timeoutMs?: number): Promise<readonly string[]>;
}

/** How kubectl is run. */
export interface KubectlOptions {
  readonly input?: string;
  readonly signal?: AbortSignal;
}

/** For tests that break a component. */
export interface ClusterComponents {
  /** Undefined when it does not run. */
  pid(name: ComponentName): number | undefined;
  /** Throws when it does not run. */
  kill(name: ComponentName, signal: NodeJS.Signals): void;
  /** Kills a component, starts it on the same data and waits until it answers (API server, containerd) or runs. */
  restart(name: ComponentName): Promise<void>;
}

/** What is known about a cluster when it is handed out. */
export interface OpenOptions {
  readonly startedHere: boolean;
  /** Ends waiting. */
  readonly signal?: AbortSignal | undefined;
  /** Called once, by the first dispose. */
  readonly onDispose: () => Promise<void>;
}

const waitTimeoutMs = 60_000;

/** Hands out a cluster that is up. */
export async function openCluster(
  layout: ClusterLayout,
  executables: Executables,
  { startedHere, signal, onDispose }: OpenOptions,
): Promise<Cluster> {
  const api = await ApiClient.asAdmin(layout);
  const kubectl: Cluster["kubectl"] = (args, options = {}) =>
    runCommand(kubectlPath(layout), args, { signal, ...options, env: kubectlEnvironment(layout) });
  let ended: Promise<void> | undefined;
  return {
    kubeconfig: layout.kubeconfig,
    server: layout.server,
    stateDir: layout.stateDir,
    layout,
    runtime: executables.runtime,
    kubectlPath: kubectlPath(layout),
    startedHere,
    api,
    processes: clusterComponents(layout, executables, api),
    kubectl,
    async apply(objects) {
      const list = { apiVersion: "v1", kind: "List", items: objects };
      await kubectl(["apply", "-f", "-"], { input: JSON.stringify(list) });
    },
    importImage: (image) => importImage(layout, executables.runtimeDir, image),
    waitForReadyPods(namespace, selector, count, timeoutMs = waitTimeoutMs) {
      const probe = async () => exactly(count, await readyPods(api, namespace, selector));
      return waitFor(`${count} ready pods of "${selector}" in "${namespace}"`, probe, { timeoutMs, signal });
    },
    waitForEndpoints(namespace, service, count, timeoutMs = waitTimeoutMs) {
      const probe = async () => exactly(count, await readyAddresses(api, namespace, service));
      return waitFor(`${count} ready endpoints of "${namespace}/${service}"`, probe, { timeoutMs, signal });
    },
    [Symbol.asyncDispose]() {
      api[Symbol.dispose]();
      ended ??= onDispose();
      return ended;
    },
  };
}

function clusterComponents(layout: ClusterLayout, executables: Executables, api: ApiClient): ClusterComponents {
  const components = new ComponentSet(layout, executables);
  const answers = async (name: ComponentName): Promise<boolean> => {
    if (name === "kube-apiserver") return serverIsReady(api);
    if (name === "containerd") return runtimeAnswers(layout, executables.runtimeDir);
    return true;
  };
  return {
    pid: (name) => components.process(name)?.pid,
    kill: (name, signal) => components.kill(name, signal),
    async restart(name) {
      await components.restart(name);
      await waitFor(`${name} to answer`, () => answers(name), { timeoutMs: waitTimeoutMs });
    },
  };
}

function exactly<T>(count: number, items: readonly T[]): readonly T[] | undefined {
  return items.length === count ? items : undefined;
}
