/** The API client and the cluster cache against a real API server; what the sandbox can do too stands in test/contract. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { ApiClient } from "../../src/kube/api-client.ts";
import { ClusterCache } from "../../src/kube/cluster-cache.ts";
import { bearer, staticCredentials } from "../../src/kube/credentials.ts";
import { hostAndPort } from "../../src/kube/dial.ts";
import { textAt } from "../../src/kube/json.ts";
import { type Cluster, loadCluster } from "../../src/kube/kubeconfig.ts";
import { ObjectCache } from "../../src/kube/object-cache.ts";
import { TlsClient } from "../../src/kube/tls-client.ts";
import { silentLogger } from "../../src/log.ts";
import { serviceKey } from "../../src/model/service-key.ts";
import { startCluster } from "../cluster/cluster.ts";
import { startRelay } from "../support/relay.ts";

const running = await startCluster();
const cluster = await loadCluster({ path: running.kubeconfig, env: {}, home: "/", readFile });
const client = clientOf(cluster);
const namespace = `kube-${randomBytes(4).toString("hex")}`;
await post("/api/v1/namespaces", { metadata: { name: namespace } });

const inNamespace = `/api/v1/namespaces/${namespace}`;
const limits = { timeout: 300_000 };

after(async () => {
  await client.request({ method: "DELETE", path: inNamespace });
  await client[Symbol.asyncDispose]();
  await running[Symbol.asyncDispose]();
});

function clientOf(target: Cluster): ApiClient {
  return new ApiClient({ cluster: target, clock: systemClock }, { version: "test" });
}

function post(path: string, body: object): Promise<unknown> {
  return client.request({ method: "POST", path, body });
}

function service(name: string, port = 80) {
  return { metadata: { name }, spec: { selector: { app: name }, ports: [{ port }] } };
}

/** A cache of the test's namespace, and a way to wait for what it shows. */
function follow(options: { client?: Pick<ApiClient, "getJson" | "getList" | "watch"> } = {}) {
  const stack = new AsyncDisposableStack();
  const components = { client, clock: systemClock, log: silentLogger(), ...options };
  const objects = stack.use(new ObjectCache(components));
  const cacheOptions = { namespaces: [namespace], fallbackNamespaces: [] };
  const cache = stack.use(new ClusterCache({ ...components, objects }, cacheOptions));
  let wake = () => {};
  cache.onChange(() => wake());
  cache.onStatus(() => wake());
  const until = async (condition: () => boolean) => {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { cache, until, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("ClusterCache shows a Service and its slices created, patched and deleted", limits, async () => {
  await using t = follow();
  await t.cache.synced;
  const key = serviceKey(namespace, "cart");
  const uid = textAt(await post(`${inNamespace}/services`, service("cart")), "metadata", "uid");
  await t.until(() => t.cache.services.get(key)?.uid === uid && t.cache.slicesOf(key).length > 0);
  assert.equal(t.cache.services.get(key)?.ports[0]?.targetPort, 80);

  const patch = { spec: { ports: [{ port: 80, name: "web", targetPort: "http" }] } };
  const merge = { contentType: "application/merge-patch+json", body: patch };
  await client.request({ method: "PATCH", path: `${inNamespace}/services/cart`, ...merge });
  await t.until(() => t.cache.services.get(key)?.ports[0]?.name === "web");

  const path = `${inNamespace}/services/cart`;
  const wrong = client.request({ method: "DELETE", path, body: { preconditions: { uid: "another" } } });
  await assert.rejects(wrong, { code: "conflict" });
  await client.request({ method: "DELETE", path, body: { preconditions: { uid } } });
  await t.until(() => t.cache.services.get(key) === undefined && t.cache.slicesOf(key).length === 0);
});

test("ClusterCache catches up after its connection was cut", limits, async () => {
  const { host, port } = hostAndPort(cluster.server);
  await using relay = await startRelay(port, host);
  const tls = { ...cluster.tls, servername: host };
  const server = new URL(`https://127.0.0.1:${relay.port}`);
  await using relayed = clientOf({ ...cluster, server, tls, tlsClient: new TlsClient(tls) });
  await using t = follow({ client: relayed });
  await t.until(() => t.cache.statuses.every(({ state }) => state === "watching"));
  relay.cut();
  await post(`${inNamespace}/services`, service("late"));
  await t.until(() => t.cache.services.get(serviceKey(namespace, "late")) !== undefined);
  await t.until(() => t.cache.statuses.every(({ state }) => state === "watching"));
  await client.request({ method: "DELETE", path: `${inNamespace}/services/late` });
});

test("ClusterCache says denied without rights, and works when they are given", limits, async () => {
  await post(`${inNamespace}/serviceaccounts`, { metadata: { name: "viewer" } });
  const answer = await post(`${inNamespace}/serviceaccounts/viewer/token`, { spec: { expirationSeconds: 600 } });
  const token = textAt(answer, "status", "token") ?? "";
  const { cert: _cert, key: _key, ...tls } = cluster.tls;
  const viewer = {
    ...cluster,
    tls,
    tlsClient: new TlsClient(tls),
    credentials: staticCredentials({ authorization: bearer(token) }),
  };
  await using viewerClient = clientOf(viewer);
  await using t = follow({ client: viewerClient });
  await t.until(() => t.cache.statuses.every(({ state }) => state === "denied"));
  assert.match(t.cache.statuses[0]?.lastError?.message ?? "", /services is forbidden: User "system:serviceaccount:/);
  const subject = { kind: "ServiceAccount", name: "viewer", namespace };
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" };
  const bindings = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`;
  await post(bindings, { metadata: { name: "viewer" }, roleRef, subjects: [subject] });
  await t.until(() => t.cache.statuses.every(({ state }) => state === "watching"));
});

test("ApiClient keeps 100 watches open and answers short calls meanwhile", limits, async () => {
  const stopping = new AbortController();
  let open = 0;
  const all = Promise.withResolvers<void>();
  const onOpen = () => {
    if (++open === 100) all.resolve();
  };
  const path = `/api/v1/namespaces/${namespace}/configmaps?watch=1&resourceVersion=0`;
  const watches = Array.from({ length: 100 }, async () => {
    for await (const _event of client.watch(path, { signal: stopping.signal, onOpen }));
  });
  const ended = Promise.allSettled(watches);
  await all.promise;
  await Promise.all(Array.from({ length: 200 }, () => client.getJson(`${inNamespace}/services`)));
  stopping.abort();
  await ended;
});
