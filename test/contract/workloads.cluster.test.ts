/** The contract of clusters, held by the real one: it is where the contract comes from. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { ApiClient } from "../../src/kube/api-client.ts";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { startCluster } from "../cluster/cluster.ts";
import { testAppImage } from "../cluster/test-images.ts";
import { podSuite } from "./pod-suite.ts";
import { workloadSuite } from "./workload-suite.ts";

const stack = new AsyncDisposableStack();
const running = stack.use(await startCluster());
const cluster = await loadCluster({ path: running.kubeconfig, env: {}, home: "/", readFile });
const client = stack.use(new ApiClient({ cluster, clock: systemClock }, { version: "test" }));
const namespace = `contract-${randomBytes(4).toString("hex")}`;
await client.request({ method: "POST", path: "/api/v1/namespaces", body: { metadata: { name: namespace } } });
stack.defer(async () => void (await client.request({ method: "DELETE", path: `/api/v1/namespaces/${namespace}` })));
after(() => stack.disposeAsync());

const target = { client, namespace, image: testAppImage };
workloadSuite(target);
podSuite(target);
