/** The contract of API servers, held by the real one: it is where the contract comes from. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { ApiClient } from "../../src/kube/api-client.ts";
import { bearer, staticCredentials } from "../../src/kube/credentials.ts";
import { textAt } from "../../src/kube/json.ts";
import { type Cluster, loadCluster } from "../../src/kube/kubeconfig.ts";
import { TlsClient } from "../../src/kube/tls-client.ts";
import { startCluster } from "../cluster/cluster.ts";
import { compactEtcd } from "../cluster/compact-etcd.ts";
import type { ApiTarget } from "./api-target.ts";
import { cacheSuite } from "./cache-suite.ts";
import { makeKind } from "./new-kind.ts";
import { objectSuite } from "./object-suite.ts";
import { reflectorSuite } from "./reflector-suite.ts";
import { serverSuite } from "./server-suite.ts";

const stack = new AsyncDisposableStack();
const running = stack.use(await startCluster());
const cluster = await loadCluster({ path: running.kubeconfig, env: {}, home: "/", readFile });
const client = clientOf(cluster);
const [first, second] = [await makeNamespace(), await makeNamespace()];
after(() => stack.disposeAsync());

const target: ApiTarget = {
  client,
  namespaces: [first, second],
  async limited() {
    const name = `viewer-${randomBytes(4).toString("hex")}`;
    const accounts = `/api/v1/namespaces/${first}/serviceaccounts`;
    await post(accounts, { metadata: { name } });
    const answer = await post(`${accounts}/${name}/token`, { spec: { expirationSeconds: 600 } });
    const subjects = [{ kind: "ServiceAccount", name, namespace: first }];
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "edit" };
    const bindings = `/apis/rbac.authorization.k8s.io/v1/namespaces/${first}/rolebindings`;
    await post(bindings, { metadata: { name }, roleRef, subjects });
    const { cert: _cert, key: _key, ...tls } = cluster.tls;
    const credentials = staticCredentials({ authorization: bearer(textAt(answer, "status", "token") ?? "") });
    const viewer = clientOf({ ...cluster, tls, tlsClient: new TlsClient(tls), credentials });
    // The authorizer learns of a new binding a moment later.
    const review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    const resourceAttributes = {
      verb: "watch",
      namespace: first,
      group: "discovery.k8s.io",
      resource: "endpointslices",
    };
    const isAllowed = async () => {
      const body = { spec: { resourceAttributes } };
      const said = await viewer.request({ method: "POST", path: review, body });
      return JSON.stringify(said).includes('"allowed":true');
    };
    while (!(await isAllowed())) await systemClock.sleep(50);
    return viewer;
  },
  async forgetful() {
    // etcd remembers all for five minutes, and the API server what it has watched: a kind that it has only just begun to watch is nowhere.
    await compactEtcd(running.layout, 2);
    const made = stack.use(await makeKind(client));
    return { resource: made.resource, kind: made.kind };
  },
};

reflectorSuite(target);
cacheSuite(target);
objectSuite(target);
serverSuite(target);

function clientOf(to: Cluster): ApiClient {
  return stack.use(new ApiClient({ cluster: to, clock: systemClock }, { version: "test" }));
}

function post(path: string, body: object): Promise<unknown> {
  return client.request({ method: "POST", path, body });
}

async function makeNamespace(): Promise<string> {
  const name = `contract-${randomBytes(4).toString("hex")}`;
  await post("/api/v1/namespaces", { metadata: { name } });
  stack.defer(async () => void (await client.request({ method: "DELETE", path: `/api/v1/namespaces/${name}` })));
  return name;
}
