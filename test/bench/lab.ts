/** What one row needs in the test cluster: a namespace of its own with the test application and Services in front. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { startCluster } from "../cluster/cluster.ts";
import { clusterProcesses } from "../cluster/cluster-processes.ts";
import type { ReadyPod } from "../cluster/objects.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { testApp } from "../cluster/test-app.ts";
import { abandonedNamespaces, benchNamespace, deleteNamespace } from "./bench-namespace.ts";
import type { BuiltPackage } from "./built-package.ts";
import { applicationPorts, type PortName } from "./contender.ts";
import { LabServices } from "./lab-services.ts";
import { bytesRead } from "./process-usage.ts";

/** Disposing deletes the namespace and waits until it is gone. */
export interface Lab extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly namespace: string;
  /** The ports of the first Service. */
  readonly ports: readonly PortName[];
  /** Names of the Services; all stand before the same pod. The first is "app". */
  readonly services: readonly string[];
  /** What the contender runs. */
  readonly localizer: Pick<BuiltPackage, "node" | "program">;
  /** Makes a Service before the same pod, or deletes one. Resolves when the API server has done it. */
  readonly addService: (name: string, signal: AbortSignal) => Promise<void>;
  readonly deleteService: (name: string, signal: AbortSignal) => Promise<void>;
  /** Its pods, as they were when it was opened. */
  readonly pods: readonly ReadyPod[];
  /** Bytes that the application in the first pod has read so far, from whomever. */
  readonly applicationBytesRead: () => number;
}

/** What a row wants. */
export interface LabWish {
  /** Of the first Service; the others have the first of them alone. */
  readonly ports: readonly PortName[];
  /** How many Services; 1 unless given. */
  readonly services?: number;
  /** How many pods stand behind them; 1 unless given. */
  readonly pods?: number;
}

/** How it is made. */
export interface LabOptions extends LabWish {
  readonly localizer: Pick<BuiltPackage, "node" | "program">;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

/** Makes it in the cluster that is up, or in one that is started now. Resolves when every Service has its endpoint. */
export async function openLab(options: LabOptions): Promise<Lab> {
  const { ports, services: count = 1, pods: replicas = 1, localizer, signal, log } = options;
  await using all = new AsyncDisposableStack();
  const cluster = all.use(await startCluster({ signal, log }));
  for (const namespace of await abandonedNamespaces(cluster)) await deleteNamespace(cluster, namespace, log);
  const namespace = `bench-${randomBytes(4).toString("hex")}`;
  const services = Array.from({ length: count }, (_, index) => (index === 0 ? "app" : `app-${index}`));
  all.defer(() => deleteNamespace(cluster, namespace, log));
  const shown = { ports: ports.map(servicePort), timeoutMs: 60_000 + count * 100 };
  await cluster.apply([
    benchNamespace(namespace),
    ...testApp({ name: "app", namespace, replicas, ports: shown.ports }),
  ]);
  // Many take the namespace's own clean-up longer than anybody wants to wait.
  const others = all.use(new LabServices(cluster.api, namespace, { ...shown, ports: shown.ports.slice(0, 1), log }));
  await others.create(services.slice(1), signal);
  const pods = await cluster.waitForReadyPods(namespace, "app=app", replicas);
  const [pod] = pods;
  if (pod === undefined) throw new Error("The test application has no pod");
  await others.waitForEndpoints(count, signal);
  const application = applicationProcess(cluster, pod.uid);
  const works = all.move();
  return {
    cluster,
    namespace,
    ports,
    services,
    localizer,
    pods,
    addService: (name, until) => others.create([name], until),
    deleteService: (name, until) => others.delete([name], until),
    applicationBytesRead: () => bytesRead(application),
    [Symbol.asyncDispose]: () => works.disposeAsync(),
  };
}

function servicePort(name: PortName): { readonly name: string; readonly port: number } {
  return { name, port: applicationPorts[name] };
}

/** The process of the pod's container, as this machine numbers it. */
function applicationProcess(cluster: Cluster, podUid: string): number {
  const inPod = clusterProcesses(cluster.layout).filter(({ pid, kind }) => {
    if (kind !== "pod" || !readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(podUid)) return false;
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes("serve");
  });
  const [application] = inPod;
  if (application === undefined) throw new Error("Cannot find the process of the test application");
  return application.pid;
}
