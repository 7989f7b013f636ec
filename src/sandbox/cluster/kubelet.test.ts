import assert from "node:assert/strict";
import { test } from "node:test";
import { startFakeCluster, workload } from "../../../test/support/workloads.ts";
import { listAt, textAt } from "../json.ts";
import { readyMsAnnotation } from "./kubelet.ts";
import { isReady } from "./pods.ts";

const box = { metadata: { name: "box" }, spec: { containers: [{ name: "sshd", image: "one" }] } };

test("a workload's pod becomes ready after its time, by the options or by its annotation", async () => {
  await using t = await startFakeCluster({ readyMs: 1_000 });
  await t.create("replicasets.apps", workload("cart", 1));
  const metadata = { labels: { app: "late" }, annotations: { [readyMsAnnotation]: "3000" } };
  await t.create("replicasets.apps", workload("late", 1, { template: { metadata, spec: box.spec } }));
  const ready = () => t.list("pods").filter(isReady).length;
  assert.deepEqual(
    t.list("pods").map((pod) => textAt(pod, "status", "phase")),
    ["Running", "Running"],
  );
  assert.equal(ready(), 0);
  await t.advance(1_000);
  assert.equal(ready(), 1);
  await t.advance(2_000);
  assert.equal(ready(), 2);
  assert.equal(t.clock.pending, 0);
});

test("a pod of no workload runs at once, and is ready when it is said so", async () => {
  await using t = await startFakeCluster();
  const lease = await t.create("leases.coordination.k8s.io", { metadata: { name: "held" } });
  const { uid } = lease.metadata;
  const owner = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", name: "held", uid, controller: true };
  await t.create("pods", { ...box, metadata: { name: "box", ownerReferences: [owner] } });
  const state = () => {
    const pod = t.find("pods", "box");
    return [textAt(pod, "status", "phase"), pod !== undefined && isReady(pod)];
  };
  assert.deepEqual(state(), ["Running", false]);
  t.cluster.setReady("default", "box", true);
  await t.cluster.settled();
  assert.deepEqual(state(), ["Running", true]);
  t.cluster.setReady("default", "box", false);
  await t.cluster.settled();
  assert.deepEqual(state(), ["Running", false]);
});

test("podIsReady is asked once, its promise waited for, and asked anew by recheck()", async () => {
  const answers: PromiseWithResolvers<boolean>[] = [];
  const podIsReady = () => {
    const answer = Promise.withResolvers<boolean>();
    answers.push(answer);
    return answer.promise;
  };
  await using t = await startFakeCluster({ podIsReady });
  await t.create("pods", box);
  await t.patch("pods", "box", { metadata: { labels: { a: "b" } } });
  assert.equal(answers.length, 1);
  const ready = async (answer: boolean) => {
    answers.at(-1)?.resolve(answer);
    await new Promise((resolve) => setImmediate(resolve));
    await t.cluster.settled();
    return t.list("pods").map(isReady);
  };
  assert.deepEqual(await ready(false), [false]);
  t.cluster.recheck("default", "box");
  await t.cluster.settled();
  assert.equal(answers.length, 2);
  assert.deepEqual(await ready(true), [true]);
});

test("a pod with a problem waits with its reason, and starts when that is gone", async () => {
  let problem: { reason: string; message: string } | undefined = { reason: "ErrImagePull", message: "no such image" };
  await using t = await startFakeCluster({ podProblem: () => problem });
  await t.create("pods", box);
  const [container] = listAt(t.find("pods", "box"), "status", "containerStatuses");
  assert.equal(textAt(container, "state", "waiting", "reason"), "ErrImagePull");
  problem = undefined;
  t.cluster.recheck("default", "box");
  await t.cluster.settled();
  assert.equal(textAt(t.find("pods", "box"), "status", "phase"), "Running");
});

test("a deleted pod is gone after its end, at most its grace, and its name is free for another", async () => {
  await using t = await startFakeCluster({ terminateMs: 5_000, podIsReady: () => true });
  await t.create("pods", { ...box, spec: { ...box.spec, terminationGracePeriodSeconds: 2 } });
  const first = textAt(t.find("pods", "box"), "status", "podIP");
  await t.delete("pods", "box");
  await t.advance(1_999);
  assert.deepEqual(t.names("pods"), ["box"]);
  await t.advance(1);
  assert.deepEqual(t.names("pods"), []);
  await t.create("pods", box);
  assert.deepEqual(t.list("pods").map(isReady), [true]);
  assert.notEqual(textAt(t.find("pods", "box"), "status", "podIP"), first);
});

test("startSandboxCluster() leaves no timer behind", async () => {
  const t = await startFakeCluster({ readyMs: 1_000 });
  await t.create("replicasets.apps", workload("cart", 2));
  assert.equal(t.clock.pending, 2);
  await t[Symbol.asyncDispose]();
  assert.equal(t.clock.pending, 0);
});
