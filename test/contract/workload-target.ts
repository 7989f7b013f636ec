/** What the suites of workloads are run against, and what they have in common. */
import { systemClock } from "../../src/clock.ts";
import type { ApiRequest } from "../../src/kube/api-client.ts";
import { apiStatusOf } from "../../src/kube/api-status.ts";
import { at, listAt, textAt } from "../../src/kube/json.ts";
import { readyMsAnnotation } from "../../src/sandbox/cluster/kubelet.ts";
import type { ApiTarget } from "./api-target.ts";

/** A cluster that is up: workloads get pods, pods without a workload become ready by themselves. */
export interface WorkloadTarget extends Pick<ApiTarget, "client"> {
  /** Empty at the start. */
  readonly namespace: string;
  /** That its nodes can run; does not end. */
  readonly image: string;
}

/** The calls of these suites. */
export function callsOf({ client, namespace, image }: WorkloadTarget) {
  const send = (method: ApiRequest["method"], path: string, body?: object) => {
    const merge = method === "PATCH" ? { contentType: "application/merge-patch+json" } : {};
    return client.request({ method, path, ...merge, body });
  };
  const podSpec = {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: "app", image, imagePullPolicy: "Never", ports: [{ name: "http", containerPort: 8080 }] }],
  };
  const slices = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
  const list = async (path: string, labelSelector: string) =>
    listAt(await client.getJson(`${path}?labelSelector=${encodeURIComponent(labelSelector)}`), "items");
  return {
    send,
    podSpec,
    core: `/api/v1/namespaces/${namespace}`,
    apps: `/apis/apps/v1/namespaces/${namespace}`,
    /** A pod template whose pods run but are never ready. */
    neverReady: {
      metadata: { annotations: { [readyMsAnnotation]: "never" } },
      spec: {
        ...podSpec,
        containers: podSpec.containers.map((container) => ({
          ...container,
          readinessProbe: { tcpSocket: { port: 1 }, periodSeconds: 1 },
        })),
      },
    },
    /** Undefined when it is not there. */
    async find(path: string): Promise<unknown> {
      try {
        return await client.getJson(path);
      } catch (error) {
        if (apiStatusOf(error)?.httpStatus === 404) return undefined;
        throw error;
      }
    },
    list,
    /** The endpoints of a Service, `pod ready` or `pod terminating`, `pod not-ready`, sorted. */
    async endpoints(service: string): Promise<readonly string[]> {
      const found = await list(slices, `kubernetes.io/service-name=${service}`);
      const stateOf = (endpoint: unknown) => {
        if (at(endpoint, "conditions", "terminating") === true) return "terminating";
        return at(endpoint, "conditions", "ready") === true ? "ready" : "not-ready";
      };
      const all = found.flatMap((slice) => listAt(slice, "endpoints"));
      return all.map((endpoint) => `${textAt(endpoint, "targetRef", "name")} ${stateOf(endpoint)}`).sort();
    },
    slicesOf: (service: string) => list(slices, `kubernetes.io/service-name=${service}`),
  };
}

/** Looks until it is there, and gives it. The test's own time limit ends it. */
export async function eventually<T>(probe: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    await systemClock.sleep(20);
  }
}
