/** What one row needs in the test cluster: a namespace of its own with the test application and Services in front. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { startCluster } from "../cluster/cluster.ts";
import { clusterProcesses } from "../cluster/cluster-processes.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { testApp } from "../cluster/test-app.ts";
import { waitFor } from "../cluster/wait.ts";
import { abandonedNamespaces, benchNamespace, deleteNamespace } from "./bench-namespace.ts";
import { applicationPorts, type PortName } from "./contender.ts";
import { bytesRead } from "./process-usage.ts";

/** Disposing deletes the namespace and waits until it is gone. */
export interface Lab extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly namespace: string;
  /** The ports of every Service. */
  readonly ports: readonly PortName[];
  /** Names of the Services; all stand before the same pod. The first is "app". */
  readonly services: readonly string[];
  /** Bytes that the application in the pod has read so far, from whomever. */
  readonly applicationBytesRead: () => number;
}

/** What a row wants. */
export interface LabOptions {
  readonly ports: readonly PortName[];
  /** How many Services. */
  readonly services: number;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

const creatingAtOnce = 8;

/** Makes it in the cluster that is up, or in one that is started now. Resolves when every Service has its endpoint. */
export async function openLab({ ports, services: count, signal, log }: LabOptions): Promise<Lab> {
  await using all = new AsyncDisposableStack();
  const cluster = all.use(await startCluster({ signal, log }));
  for (const namespace of await abandonedNamespaces(cluster)) await deleteNamespace(cluster, namespace, log);
  const namespace = `bench-${randomBytes(4).toString("hex")}`;
  const services = Array.from({ length: count }, (_, index) => (index === 0 ? "app" : `app-${index}`));
  all.defer(() => deleteNamespace(cluster, namespace, log));
  await cluster.apply([
    benchNamespace(namespace),
    ...testApp({ name: "app", namespace, ports: ports.map(servicePort) }),
  ]);
  await createServices(cluster, namespace, services.slice(1), { ports, signal });
  const [pod] = await cluster.waitForReadyPods(namespace, "app=app", 1);
  if (pod === undefined) throw new Error("The test application has no pod");
  const timeoutMs = 60_000 + count * 100;
  await waitFor(`endpoints of ${count} Services`, () => allHaveEndpoints(cluster, namespace, count), {
    timeoutMs,
    signal,
  });
  const application = applicationProcess(cluster, pod.uid);
  const works = all.move();
  return {
    cluster,
    namespace,
    ports,
    services,
    applicationBytesRead: () => bytesRead(application),
    [Symbol.asyncDispose]: () => works.disposeAsync(),
  };
}

function servicePort(name: PortName): { readonly name: string; readonly port: number } {
  return { name, port: applicationPorts[name] };
}

async function createServices(
  cluster: Cluster,
  namespace: string,
  names: readonly string[],
  { ports, signal }: Pick<LabOptions, "ports" | "signal">,
): Promise<void> {
  const queue = names.values();
  const spec = { selector: { app: "app" }, ports: ports.map(servicePort) };
  const work = async () => {
    for (const name of queue) {
      const service = { apiVersion: "v1", kind: "Service", metadata: { name }, spec };
      const { status, body } = await cluster.api.send(
        "POST",
        `/api/v1/namespaces/${namespace}/services`,
        service,
        signal,
      );
      if (status !== 201) throw new Error(`Cannot create Service "${name}": ${status} ${JSON.stringify(body)}`);
    }
  };
  await Promise.all(Array.from({ length: creatingAtOnce }, work));
}

async function allHaveEndpoints(cluster: Cluster, namespace: string, count: number): Promise<boolean> {
  const list = await cluster.api.get(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`);
  if (typeof list !== "object" || list === null || !("items" in list) || !Array.isArray(list.items)) return false;
  return list.items.filter(hasReadyEndpoint).length === count;
}

function hasReadyEndpoint(slice: unknown): boolean {
  return JSON.stringify(slice).includes('"ready":true');
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
