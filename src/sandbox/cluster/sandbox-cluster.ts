/**
 * A simulated cluster: the API server of this room and what works on its objects, so that workloads have pods and Services
 * have endpoints. Promises to act on changes only, and to leave no timer behind. Used by the fault tests of expose.
 */
import type { Clock } from "../../clock.ts";
import { type SandboxApiServer, type SandboxOptions, startSandboxApiServer } from "../api-server.ts";
import { type ControlledServer, type ObjectKey, runControllers } from "./controller.ts";
import { deploymentController } from "./deployments.ts";
import { endpointSliceController } from "./endpoint-slices.ts";
import { garbageCollector } from "./garbage-collector.ts";
import { Kubelet, type KubeletOptions } from "./kubelet.ts";
import { replicaSetController } from "./replica-sets.ts";
import { scheduler } from "./scheduler.ts";
import { statefulSetController } from "./stateful-sets.ts";

/** What works on the objects of a server. */
export interface Workloads extends AsyncDisposable {
  /** Says whether a pod is ready from now on. @throws Refusal when there is none */
  setReady(namespace: string, pod: string, ready: boolean): void;
  /** Asks anew about a pod what the options answer. */
  recheck(namespace: string, pod: string): void;
  /** Resolves when there is nothing to do now; what waits for its time (or for an answer) does not count. */
  settled(signal?: AbortSignal): Promise<void>;
}

/** A server with workloads. */
export interface SandboxCluster extends Workloads {
  readonly server: SandboxApiServer;
}

/** Settings of a cluster. */
export interface SandboxClusterOptions extends SandboxOptions, KubeletOptions {}

/**
 * Starts both.
 * @throws LocalizerError `conflict` when the port is taken
 */
export async function startSandboxCluster(clock: Clock, options: SandboxClusterOptions = {}): Promise<SandboxCluster> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startSandboxApiServer(clock, options));
  const workloads = stack.use(startWorkloads(server, clock, options));
  const { setReady, recheck, settled } = workloads;
  const all = stack.move();
  return { server, setReady, recheck, settled, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** Starts the controllers beside a server that is there, and gives it a node if it has none. */
export function startWorkloads(server: ControlledServer, clock: Clock, options: KubeletOptions = {}): Workloads {
  const nodes = server.resource("nodes");
  if (server.store.list(nodes).length === 0) {
    const status = { conditions: [{ type: "Ready", status: "True" }] };
    server.objects.create({ resource: nodes, namespace: undefined }, { metadata: { name: "node-1" }, status });
  }
  const kubelet = new Kubelet(server, clock, options, (key) => running.look(kubelet, key));
  const running = runControllers(server, clock, [
    deploymentController(server),
    replicaSetController(server, server.resource("replicasets.apps")),
    replicaSetController(server, server.resource("replicationcontrollers")),
    statefulSetController(server),
    // Before the kubelet, so that a slice shows a pod that is about to go.
    endpointSliceController(server),
    garbageCollector(server),
    scheduler(server, clock),
    kubelet,
  ]);
  const keyOf = (namespace: string, name: string): ObjectKey => ({
    resource: server.resource("pods"),
    namespace,
    name,
  });
  return {
    setReady: (namespace, pod, ready) => kubelet.setReady(keyOf(namespace, pod), ready),
    recheck: (namespace, pod) => kubelet.recheck(keyOf(namespace, pod)),
    settled: (signal) => running.settled(signal),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}
