/** Which engine is chosen on a real API server: by rights, and behind gateways that let only some upgrades through. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import { after, test } from "node:test";
import { systemClock as clock } from "../../src/clock.ts";
import { bearer, staticCredentials } from "../../src/kube/credentials.ts";
import { type Cluster, loadCluster } from "../../src/kube/kubeconfig.ts";
import { TlsClient } from "../../src/kube/tls-client.ts";
import { silentLogger } from "../../src/log.ts";
import { type EngineName, engineNames } from "../../src/model/engine-name.ts";
import { port } from "../../src/model/port.ts";
import { type PodConnector, podConnector } from "../../src/portforward/choose-engine.ts";
import { engineDialer } from "../../src/portforward/engine-dialer.ts";
import { openPodDialer } from "../../src/portforward/pod-dialer.ts";
import { startCluster } from "../cluster/cluster.ts";
import { testApp } from "../cluster/test-app.ts";
import { accountToken } from "../e2e/service-account.ts";
import { makeCertificate } from "../support/fake-api-server.ts";
import { gatewayPath, startHttp1Gateway } from "../support/http1-gateway.ts";
import { startHttpProxy } from "../support/proxies.ts";
import { closed, read } from "./wire-suite.ts";

const limits = { timeout: 300_000 };
const namespace = `engines-${randomBytes(4).toString("hex")}`;
const running = await startCluster();
const admin = await loadCluster({ path: running.kubeconfig, env: {}, home: "/", readFile });
const login = { user: "jo", password: "p@ss" };
const verbs = { getter: ["get"], creator: ["create"], both: ["create", "get"], nobody: ["list"] } as const;

await running.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
await running.apply([
  ...testApp({ name: "app", namespace }),
  ...Object.entries(verbs).flatMap(([name, verbs]) => forwarderObjects(name, verbs)),
]);
const [ready] = await running.waitForReadyPods(namespace, "app=app", 1);
assert.ok(ready !== undefined);
const pod = { namespace, name: ready.name, uid: ready.uid };

after(async () => {
  await running.kubectl(["delete", "namespace", namespace, "--wait=false"]);
  await running[Symbol.asyncDispose]();
});

/** A service account that may do nothing but this to pods/portforward. */
function forwarderObjects(name: string, verbs: readonly string[]): readonly object[] {
  const metadata = { name, namespace };
  const apiGroup = "rbac.authorization.k8s.io";
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: "Role",
      metadata,
      rules: [{ apiGroups: [""], resources: ["pods/portforward"], verbs }],
    },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup, kind: "Role", name },
      subjects: [{ kind: "ServiceAccount", name, namespace }],
    },
  ];
}

function connectorTo(cluster: Cluster, engine?: EngineName): PodConnector {
  return podConnector({ cluster, clock, log: silentLogger() }, engine);
}

/** The admin's cluster with another user: the test cluster's admin is known by a certificate, which must not go along. */
async function clusterAs(name: keyof typeof verbs): Promise<Cluster> {
  const { cert: _cert, key: _key, ...tls } = admin.tls;
  const token = await accountToken(running, { namespace, name, role: "view" });
  return {
    ...admin,
    tls,
    tlsClient: new TlsClient(tls),
    credentials: staticCredentials({ authorization: bearer(token) }),
  };
}

/** Gets an echo from the pod, three times, for the choice and for the memory. */
async function echo(connector: PodConnector): Promise<void> {
  await using pools = openPodDialer({ connect: (of, signal) => connector.connect(of, signal), clock });
  const dial = engineDialer(connector, pools.dial);
  for (let turn = 0; turn < 3; turn++) {
    const stream = await dial({ pod, port: port(7000) }, new AbortController().signal);
    const bytes = randomBytes(300_000);
    stream.write(bytes);
    assert.ok((await read(stream, bytes.length)).equals(bytes));
    await closed(stream);
  }
}

for (const [name, engine] of [
  ["getter", "get-spdy"],
  ["creator", "post-spdy"],
] as const) {
  test(`a user with only \`${verbs[name][0]}\` on pods/portforward gets ${engine}`, limits, async () => {
    await using connector = connectorTo(await clusterAs(name));
    await echo(connector);
    assert.equal(connector.engine, engine);
  });
}

test("a user with neither is told the right that is missing", limits, async () => {
  await using connector = connectorTo(await clusterAs("nobody"));
  const message = new RegExp(
    `cannot create resource "pods/portforward" in API group "" in the namespace "${namespace}"$`,
  );
  await assert.rejects(connector.probe(pod, new AbortController().signal), { code: "denied", message });
  assert.equal(connector.engine, undefined);
});

const isSpdy = ({ upgrade }: IncomingHttpHeaders) => upgrade === "SPDY/3.1";
const isTunnel = (headers: IncomingHttpHeaders) => /^SPDY/.test(headers["sec-websocket-protocol"] ?? "");
for (const [what, refuses, engine] of [
  ["nothing", () => false, "post-spdy"],
  ["SPDY", isSpdy, "websocket"],
  ["SPDY and what carries it", (headers: IncomingHttpHeaders) => isSpdy(headers) || isTunnel(headers), "v4"],
] as const) {
  test(`behind a gateway that refuses ${what}, ${engine} is chosen`, limits, async () => {
    const certificate = await makeCertificate();
    assert.ok(admin.tls.ca !== undefined);
    await using gateway = await startHttp1Gateway(admin.server, admin.tls.ca, certificate, refuses);
    const server = new URL(`https://127.0.0.1:${gateway.port}${gatewayPath}/`);
    const tls = { ca: certificate.cert, rejectUnauthorized: true };
    const token = await accountToken(running, { namespace, name: "both", role: "view" });
    const behind = {
      ...admin,
      server,
      tls,
      tlsClient: new TlsClient(tls),
      credentials: staticCredentials({ authorization: bearer(token) }),
    };
    await using connector = connectorTo(behind);
    await echo(connector);
    assert.equal(connector.engine, engine);
  });
}

for (const engine of engineNames) {
  test(`${engine} goes through a proxy with a login, by a client certificate`, limits, async () => {
    await using proxy = await startHttpProxy({ login });
    const url = new URL(`http://jo:p%40ss@127.0.0.1:${proxy.port}`);
    await using connector = connectorTo({ ...admin, proxy: url }, engine);
    await echo(connector);
    assert.ok(proxy.tunnels.length > 0);
    assert.equal(proxy.refusals, 0);
  });
}
