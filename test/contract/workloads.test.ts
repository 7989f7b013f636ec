/** The contract of clusters, held by the sandbox with its simulated controllers. */
import { after } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { startWorkloads } from "../../src/sandbox/cluster/sandbox-cluster.ts";
import { startSandbox } from "../support/sandbox.ts";
import { podSuite } from "./pod-suite.ts";
import { workloadSuite } from "./workload-suite.ts";

const stack = new AsyncDisposableStack();
const namespace = "contract";
const sandbox = stack.use(await startSandbox({ namespaces: [namespace] }));
// A pod that is deleted with some grace needs a moment to go, so that the contract can see it.
stack.use(startWorkloads(sandbox.server, systemClock, { podIsReady: () => true, terminateMs: 300 }));
after(() => stack.disposeAsync());

const target = { client: sandbox.client(), namespace, image: "localhost/any:1" };
workloadSuite(target);
podSuite(target);
