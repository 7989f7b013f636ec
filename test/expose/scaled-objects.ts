/** Workloads of every kind that can be scaled, each behind a Service of port 80. */
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { numberAt, textAt } from "../../src/kube/json.ts";
import { startCluster } from "../cluster/cluster.ts";
import { testAppImage } from "../cluster/test-images.ts";
import type { ExposePlace } from "./expose-place.ts";

/** A StatefulSet, a bare ReplicaSet, and a Service that leads to a Deployment and a StatefulSet. */
export function scaledObjects(namespace: string): readonly object[] {
  return [
    workload(namespace, "apps/v1", "StatefulSet", "ledger", { serviceName: "ledger" }),
    service(namespace, "ledger", { app: "ledger" }),
    workload(namespace, "apps/v1", "ReplicaSet", "bare"),
    service(namespace, "bare", { app: "bare" }),
    workload(namespace, "apps/v1", "Deployment", "blue", {}, { shade: "any" }),
    workload(namespace, "apps/v1", "StatefulSet", "green", { serviceName: "green" }, { shade: "any" }),
    service(namespace, "colours", { shade: "any" }),
  ];
}

/** A custom resource with /scale. Disposing removes its definition. */
export interface ScalableKind extends AsyncDisposable {
  /** In small letters, as kubectl takes it. */
  readonly kind: string;
  /** One of three replicas, with a Service. Nobody makes its pods: see `operate`. */
  objects(namespace: string): readonly object[];
  /** Gives it one pod as long as it is to have any, as an operator would, until it is disposed. */
  operate(place: ExposePlace): AsyncDisposable;
}

/** Makes the definition, and waits until it is served. */
export async function scalableKind(): Promise<ScalableKind> {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startCluster());
  const plural = `fleets${randomBytes(3).toString("hex")}`;
  const group = "test.localizer.dev";
  const name = `${plural}.${group}`;
  const kind = `Fleet${plural}`;
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  const scale = { specReplicasPath: ".spec.size", statusReplicasPath: ".status.size" };
  const versions = [{ name: "v1", served: true, storage: true, schema, subresources: { scale } }];
  const names = { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` };
  const definition = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name },
    spec: { group, scope: "Namespaced", names, versions },
  };
  await cluster.apply([definition]);
  stack.defer(async () => void (await cluster.kubectl(["delete", "crd", name, "--wait=false"])));
  await cluster.kubectl(["wait", "--for=condition=Established", `crd/${name}`, "--timeout=120s"]);
  const works = stack.move();
  return {
    kind: kind.toLowerCase(),
    objects: (namespace) => [
      { apiVersion: `${group}/v1`, kind, metadata: { name: "fleet", namespace }, spec: { size: 3 } },
      service(namespace, "fleet", { app: "fleet" }),
    ],
    operate(place) {
      const stop = new AbortController();
      const over = operate(place, { plural, apiVersion: `${group}/v1`, kind }, stop.signal);
      return {
        async [Symbol.asyncDispose]() {
          stop.abort();
          await over;
        },
      };
    },
    [Symbol.asyncDispose]: () => works.disposeAsync(),
  };
}

async function operate(
  { cluster, namespace, get, kubectl }: ExposePlace,
  { plural, apiVersion, kind }: { readonly plural: string; readonly apiVersion: string; readonly kind: string },
  signal: AbortSignal,
): Promise<void> {
  let isUp = false;
  while (!signal.aborted) {
    const fleet = await get(plural, "fleet");
    const isWanted = (numberAt(fleet, "spec", "size") ?? 0) > 0;
    if (isWanted && !isUp) {
      const ownerReferences = [
        { apiVersion, kind, name: "fleet", uid: textAt(fleet, "metadata", "uid"), controller: true },
      ];
      const metadata = { name: "fleet-0", namespace, labels: { app: "fleet" }, ownerReferences };
      await cluster.apply([{ apiVersion: "v1", kind: "Pod", metadata, spec: podSpec("fleet") }]);
    }
    if (!isWanted && isUp) await kubectl("delete", "pod", "fleet-0");
    isUp = isWanted;
    await pause(300, undefined, { signal }).catch(() => {});
  }
}

function workload(
  namespace: string,
  apiVersion: string,
  kind: string,
  name: string,
  more: object = {},
  extraLabels: Readonly<Record<string, string>> = {},
): object {
  const labels = { app: name, ...extraLabels };
  const template = { metadata: { labels }, spec: podSpec(name) };
  const spec = { replicas: 1, selector: { matchLabels: { app: name } }, template, ...more };
  return { apiVersion, kind, metadata: { name, namespace }, spec };
}

function service(namespace: string, name: string, selector: object): object {
  const ports = [{ name: "http", port: 80, targetPort: "http" }];
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec: { selector, ports } };
}

function podSpec(name: string): object {
  const container = {
    name: "app",
    image: testAppImage,
    imagePullPolicy: "Never",
    env: [{ name: "NAME", value: name }],
    ports: [{ name: "http", containerPort: 7003 }],
    readinessProbe: { httpGet: { port: "http" }, periodSeconds: 1 },
  };
  return { terminationGracePeriodSeconds: 1, dnsPolicy: "Default", containers: [container] };
}
