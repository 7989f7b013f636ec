/** A namespace with a Service for each kind of owner, and users of it. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { systemClock as clock } from "../../src/clock.ts";
import type { PreflightComponents } from "../../src/expose/preflight.ts";
import { ApiClient } from "../../src/kube/api-client.ts";
import { Discovery } from "../../src/kube/discovery.ts";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { headOf, Objects } from "../../src/kube/objects.ts";
import { startCluster } from "../cluster/cluster.ts";
import { testAppImage } from "../cluster/test-images.ts";
import { waitFor } from "../cluster/wait.ts";
import { accountObjects, accountToken, writeUserKubeconfig } from "../e2e/service-account.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** The place. Disposing removes the namespace and the custom kind. */
export interface PreflightShop extends AsyncDisposable {
  readonly namespace: string;
  /** The custom kind, `fleets.GROUP`. */
  readonly fleets: string;
  readonly admin: PreflightComponents;
  /** Has the role `edit` in this namespace and nothing else. */
  readonly editor: PreflightComponents;
  readonly viewer: PreflightComponents;
}

const wait = { timeoutMs: 60_000 };

/** Makes all of it, and waits until the pods are ready. */
export async function openPreflightShop(): Promise<PreflightShop> {
  await using works = new AsyncDisposableStack();
  const cluster = works.use(await startCluster());
  const folder = works.use(temporaryFolder());
  const suffix = randomBytes(4).toString("hex");
  const [namespace, group] = [`preflight-${suffix}`, `x${suffix}.test.localizer.dev`];
  const fleets = `fleets.${group}`;
  const remove = (kind: string, name: string) => cluster.kubectl(["delete", kind, name, "--wait=false"]);
  works.defer(async () => void (await Promise.all([remove("namespace", namespace), remove("crd", fleets)])));
  await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }, fleetKind(group)]);
  const accounts = (["edit", "view"] as const).map((role) => ({ namespace, name: `may-${role}`, role }));
  await cluster.apply(accounts.flatMap(accountObjects));
  await waitFor("the default account", () => cluster.kubectl(["get", "sa", "default", "-n", namespace]), wait);
  await waitFor("the new kind", () => cluster.kubectl(["get", fleets, "-n", namespace]), wait);

  const fleetRef = { apiVersion: `${group}/v1`, kind: "Fleet", name: "fleet" };
  const fleet = { ...fleetRef, metadata: { name: "fleet" }, spec: { size: 3 } };
  const inNamespace = (object: { readonly metadata: object }) => ({
    ...object,
    metadata: { ...object.metadata, namespace },
  });
  await cluster.apply([...shopObjects(), fleet].map(inNamespace));
  const made: unknown = JSON.parse(await cluster.kubectl(["get", fleets, "fleet", "-n", namespace, "-o", "json"]));
  const owner = { ...fleetRef, uid: headOf(made).uid, controller: true };
  await cluster.apply([inNamespace(pod("fleet-0", "fleet", [owner]))]);
  const counts = { web: 2, db: 1, set: 1, old: 1, fleet: 1, mixed: 3, agent: 1 };
  for (const [app, count] of Object.entries(counts)) await cluster.waitForReadyPods(namespace, `app=${app}`, count);

  const speaking = async (kubeconfig: string): Promise<PreflightComponents> => {
    const target = works.use(await loadCluster({ path: kubeconfig, env: {}, home: "/", readFile }));
    const client = works.use(new ApiClient({ cluster: target, clock }, { version: "0" }));
    return { client, objects: new Objects(client), discovery: new Discovery(client) };
  };
  const users = await Promise.all(
    accounts.map(async (account) => {
      const user = { token: await accountToken(cluster, account) };
      return speaking(writeUserKubeconfig(cluster, folder.path, { name: account.name, user, namespace }));
    }),
  );
  const [editor, viewer] = users;
  if (editor === undefined || viewer === undefined) throw new Error("there are two accounts");
  const admin = await speaking(cluster.kubeconfig);
  const owned = works.move();
  return { namespace, fleets, admin, editor, viewer, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Each called as its Service. */
function shopObjects() {
  const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
  const statefulSet = workload("StatefulSet", "db", { serviceName: "db" });
  const controller = { replicas: 1, selector: { app: "old" }, template: template("old") };
  return [
    ...["web", "set", "old", "fleet", "mixed", "agent", "idle"].map((name) => service(name)),
    service("db", { clusterIP: "None" }),
    service("all-web", { selector: { tier: "web" } }),
    ...[workload("Deployment", "web", { replicas: 2 }), statefulSet, workload("ReplicaSet", "set")],
    { apiVersion: "v1", kind: "ReplicationController", metadata: { name: "old" }, spec: controller },
    ...[workload("DaemonSet", "agent"), workload("Deployment", "idle", { replicas: 0 })],
    ...[workload("Deployment", "mixed"), workload("StatefulSet", "mixed", { serviceName: "mixed" }, "mixed-too")],
    pod("alone", "mixed"),
    {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "web" },
      spec: { scaleTargetRef, minReplicas: 2, maxReplicas: 4 },
    },
  ];
}

function service(name: string, spec: object = {}) {
  const ports = [{ name: "http", port: 80, targetPort: "http" }];
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { selector: { app: name }, ports, ...spec } };
}

/** Two workloads of a Service need selectors of their own, or they would take each other's pods. */
function workload(kind: string, name: string, spec: object = {}, part = name) {
  const labels = part === name ? { app: name } : { app: name, part };
  const common = { selector: { matchLabels: labels }, template: template(name, labels) };
  return { apiVersion: "apps/v1", kind, metadata: { name: part }, spec: { ...common, ...spec } };
}

function template(name: string, labels: object = {}) {
  return { metadata: { labels: { app: name, tier: name, ...labels } }, spec: podSpec() };
}

function pod(name: string, app: string, ownerReferences: readonly object[] = []) {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, labels: { app }, ownerReferences }, spec: podSpec() };
}

function podSpec() {
  return {
    terminationGracePeriodSeconds: 0,
    // There is no cluster DNS.
    dnsPolicy: "Default",
    containers: [
      {
        ...{ name: "app", image: testAppImage, imagePullPolicy: "Never" },
        ports: [{ name: "http", containerPort: 7003 }],
      },
    ],
  };
}

/** A kind that says its number in a place of its own. */
function fleetKind(group: string) {
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  const subresources = { scale: { specReplicasPath: ".spec.size", statusReplicasPath: ".status.size" } };
  const names = { plural: "fleets", singular: "fleet", kind: "Fleet", listKind: "FleetList" };
  const versions = [{ name: "v1", served: true, storage: true, schema, subresources }];
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `fleets.${group}` },
    spec: { group, scope: "Namespaced", names, versions },
  };
}
