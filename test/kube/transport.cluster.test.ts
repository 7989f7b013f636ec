/** The ways to a real API server: through proxies that want a login, and through a gateway that speaks HTTP/1.1 only. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { ApiClient } from "../../src/kube/api-client.ts";
import { bearer, staticCredentials } from "../../src/kube/credentials.ts";
import { hostAndPort } from "../../src/kube/dial.ts";
import { listAt, textAt } from "../../src/kube/json.ts";
import { type Cluster, loadCluster } from "../../src/kube/kubeconfig.ts";
import { TlsClient } from "../../src/kube/tls-client.ts";
import { silentLogger } from "../../src/log.ts";
import { port } from "../../src/model/port.ts";
import { podConnector } from "../../src/portforward/choose-engine.ts";
import { startCluster } from "../cluster/cluster.ts";
import { testApp } from "../cluster/test-app.ts";
import { read } from "../portforward/wire-suite.ts";
import { makeCertificate } from "../support/fake-api-server.ts";
import { gatewayPath, startHttp1Gateway } from "../support/http1-gateway.ts";
import { startHttpProxy, startSocksProxy } from "../support/proxies.ts";

const running = await startCluster();
const cluster = await loadCluster({ path: running.kubeconfig, env: {}, home: "/", readFile });
const admin = clientOf(cluster);
const namespace = `transport-${randomBytes(4).toString("hex")}`;
const inNamespace = `/api/v1/namespaces/${namespace}`;
const limits = { timeout: 300_000 };
const login = { user: "jo", password: "p@ss" };

await running.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
await running.apply(testApp({ name: "app", namespace }));
const [ready] = await running.waitForReadyPods(namespace, "app=app", 1);
assert.ok(ready !== undefined);
const pod = { namespace, name: ready.name, uid: ready.uid };

after(async () => {
  await admin.request({ method: "DELETE", path: inNamespace });
  await admin[Symbol.asyncDispose]();
  await running[Symbol.asyncDispose]();
});

function clientOf(target: Cluster): ApiClient {
  return new ApiClient({ cluster: target, clock: systemClock }, { version: "test" });
}

/** Lists, sees a ConfigMap made and changed, and gets an echo from a pod. */
async function useAll(target: Cluster): Promise<void> {
  await using client = clientOf(target);
  const name = `seen-${randomBytes(4).toString("hex")}`;
  const list = await client.getJson(`${inNamespace}/configmaps`);
  assert.ok(listAt(list, "items").length > 0, "the authority's own ConfigMap is there");
  const query = `watch=1&fieldSelector=metadata.name=${name}&resourceVersion=${textAt(list, "metadata", "resourceVersion")}`;
  const seen: (string | undefined)[] = [];
  const onOpen = async () => {
    const data = { key: "made" };
    await client.request({ method: "POST", path: `${inNamespace}/configmaps`, body: { metadata: { name }, data } });
    const patch = { contentType: "application/merge-patch+json", body: { data: { key: "changed" } } };
    await client.request({ method: "PATCH", path: `${inNamespace}/configmaps/${name}`, ...patch });
  };
  const opened = Promise.withResolvers<void>();
  const written = opened.promise.then(onOpen);
  for await (const { object } of client.watch(`${inNamespace}/configmaps?${query}`, { onOpen: opened.resolve })) {
    if (seen.push(textAt(object, "data", "key")) === 2) break;
  }
  await written;
  assert.deepEqual(seen, ["made", "changed"]);
  const { signal } = new AbortController();
  await using connector = podConnector({ cluster: target, clock: systemClock, log: silentLogger() });
  await using connection = await connector.connect(pod, signal);
  const stream = connection.openStream({ pod, port: port(7000) });
  const bytes = randomBytes(1024 * 1024);
  stream.write(bytes);
  assert.ok((await read(stream, bytes.length)).equals(bytes));
  stream.destroy();
}

for (const [scheme, start] of [
  ["http", startHttpProxy],
  ["socks5", startSocksProxy],
] as const) {
  test(`list, watch and port-forward go through a ${scheme} proxy with a login`, limits, async () => {
    await using proxy = await start({ login });
    const url = new URL(`${scheme}://jo:p%40ss@127.0.0.1:${proxy.port}`);
    await useAll({ ...cluster, proxy: url });
    const { host, port: serverPort } = hostAndPort(cluster.server);
    // One for short calls, one for the watch, one for the port-forward.
    assert.deepEqual(
      proxy.tunnels,
      Array.from({ length: 3 }, () => `${host}:${serverPort}`),
    );
    assert.equal(proxy.refusals, 0);
  });

  test(`a ${scheme} proxy that does not let us in is named, and the server not asked`, limits, async () => {
    await using proxy = await start({ login });
    await using client = clientOf({ ...cluster, proxy: new URL(`${scheme}://jo:wrong@127.0.0.1:${proxy.port}`) });
    const message = /through the proxy "\w+:\/\/127\.0\.0\.1:\d+": it does not accept the user and password of its URL/;
    await assert.rejects(client.getJson("/version"), { code: "unavailable", message });
    assert.deepEqual(proxy.tunnels, []);
  });
}

test("list, watch and port-forward go through a gateway that speaks HTTP/1.1 only, below a path", limits, async () => {
  const account = { kind: "ServiceAccount", name: "editor", namespace };
  await admin.request({
    method: "POST",
    path: `${inNamespace}/serviceaccounts`,
    body: { metadata: { name: "editor" } },
  });
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "edit" };
  const bindings = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`;
  const binding = { metadata: { name: "editor" }, roleRef, subjects: [account] };
  await admin.request({ method: "POST", path: bindings, body: binding });
  const path = `${inNamespace}/serviceaccounts/editor/token`;
  const answer = await admin.request({ method: "POST", path, body: { spec: { expirationSeconds: 600 } } });
  const token = textAt(answer, "status", "token") ?? "";

  const certificate = await makeCertificate();
  assert.ok(cluster.tls.ca !== undefined);
  await using gateway = await startHttp1Gateway(cluster.server, cluster.tls.ca, certificate);
  const server = new URL(`https://127.0.0.1:${gateway.port}${gatewayPath}/`);
  const tls = { ca: certificate.cert, rejectUnauthorized: true };
  const behind = {
    ...cluster,
    server,
    tls,
    tlsClient: new TlsClient(tls),
    credentials: staticCredentials({ authorization: bearer(token) }),
  };
  await useAll(behind);
  assert.equal(gateway.upgrades(), 1);
  // One for short calls, one for the watch, one for the port-forward.
  assert.equal(gateway.connections(), 3);
  await using stranger = clientOf({ ...behind, credentials: staticCredentials({ authorization: bearer("no") }) });
  await assert.rejects(stranger.getJson(`${inNamespace}/configmaps`), { code: "unauthenticated" });
});
