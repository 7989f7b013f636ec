/** What happens to single pods: late labels, adoption, owners that go, deletion, and no node to run on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { at, listAt, numberAt, textAt } from "../../src/kube/json.ts";
import { callsOf, eventually, type WorkloadTarget } from "./workload-target.ts";

const limits = { timeout: 60_000 };

/** Registers the cases, each as a test. The target must live as long as they run. */
export function podSuite(target: WorkloadTarget): void {
  const { send, podSpec, core, apps, find, endpoints, slicesOf } = callsOf(target);
  const leases = `/apis/coordination.k8s.io/v1/namespaces/${target.namespace}/leases`;
  const pod = (name: string, metadata: object = {}, spec: object = {}) => ({
    metadata: { name, ...metadata },
    spec: { ...podSpec, ...spec },
  });
  const isReady = (object: unknown) =>
    listAt(object, "status", "conditions").some((one) => at(one, "type") === "Ready" && at(one, "status") === "True");
  const readyPod = (name: string) =>
    eventually(async () => {
      const found = await find(`${core}/pods/${name}`);
      return isReady(found) && found;
    });
  const gone = (path: string) => eventually(async () => (await find(path)) === undefined);
  const lease = async (name: string) => {
    const made = await send("POST", leases, { metadata: { name } });
    const uid = textAt(made, "metadata", "uid") ?? "";
    return { uid, reference: { apiVersion: "coordination.k8s.io/v1", kind: "Lease", name, uid } };
  };

  test("a pod is behind a Service as soon as it has the labels, and as long", limits, async () => {
    const spec = { selector: { app: "late" }, ports: [{ port: 80, targetPort: 8080 }] };
    await send("POST", `${core}/services`, { metadata: { name: "late" }, spec });
    await send("POST", `${core}/pods`, pod("late"));
    await readyPod("late");
    assert.deepEqual(await endpoints("late"), []);
    await send("PATCH", `${core}/pods/late`, { metadata: { labels: { app: "late" } } });
    await eventually(async () => (await endpoints("late"))[0] === "late ready");
    await send("PATCH", `${core}/pods/late`, { metadata: { labels: { app: null } } });
    await eventually(async () => (await endpoints("late")).length === 0);
    await send("DELETE", `${core}/pods/late?gracePeriodSeconds=0`);
    await send("DELETE", `${core}/services/late`);
    await eventually(async () => (await slicesOf("late")).length === 0);
  });

  test("a ReplicaSet at none takes over a pod without a controller, and deletes it", limits, async () => {
    const labels = { app: "taken" };
    const template = { metadata: { labels }, spec: podSpec };
    const set = { replicas: 0, selector: { matchLabels: labels }, template };
    await send("POST", `${apps}/replicasets`, { metadata: { name: "taken" }, spec: set });
    const { reference } = await lease("taken");
    const kept = pod("kept", { labels, ownerReferences: [{ ...reference, controller: true }] });
    const made = await send("POST", `${core}/pods`, kept);
    await send("POST", `${core}/pods`, pod("stray", { labels }));
    await gone(`${core}/pods/stray`);
    await send("POST", `${core}/pods`, pod("later", { ownerReferences: [{ ...reference, controller: false }] }));
    await readyPod("later");
    await send("PATCH", `${core}/pods/later`, { metadata: { labels } });
    await gone(`${core}/pods/later`);
    const left = await find(`${core}/pods/kept`);
    assert.equal(textAt(left, "metadata", "deletionTimestamp"), undefined);
    assert.deepEqual(at(left, "metadata", "ownerReferences"), at(made, "metadata", "ownerReferences"));
    await send("DELETE", `${apps}/replicasets/taken`, { propagationPolicy: "Background" });
    await send("DELETE", `${leases}/taken`, { propagationPolicy: "Background" });
    await gone(`${core}/pods/kept`);
  });

  test("a Lease takes its pod and Secret with it", limits, async () => {
    const { uid, reference } = await lease("held");
    const ownerReferences = [{ ...reference, controller: false, blockOwnerDeletion: false }];
    await send("POST", `${core}/secrets`, { metadata: { name: "held", ownerReferences }, data: {} });
    await send("POST", `${core}/pods`, pod("held", { ownerReferences }));
    await readyPod("held");
    await send("DELETE", `${leases}/held`, { propagationPolicy: "Background", preconditions: { uid } });
    await gone(`${core}/secrets/held`);
    await gone(`${core}/pods/held`);
    await send("POST", `${core}/secrets`, { metadata: { name: "too-late", ownerReferences }, data: {} });
    await gone(`${core}/secrets/too-late`);
  });

  test("an object with one living owner stays, without the dead one", limits, async () => {
    const [first, second] = [await lease("first"), await lease("second")];
    const ownerReferences = [first.reference, second.reference];
    await send("POST", `${core}/secrets`, { metadata: { name: "shared", ownerReferences }, data: {} });
    await send("DELETE", `${leases}/first`, { propagationPolicy: "Background" });
    const left = await eventually(async () => {
      const owners = listAt(await find(`${core}/secrets/shared`), "metadata", "ownerReferences");
      return owners.length === 1 && owners;
    });
    assert.equal(textAt(left[0], "uid"), second.uid);
    await send("DELETE", `${leases}/second`, { propagationPolicy: "Background" });
    await gone(`${core}/secrets/shared`);
  });

  test("a pod on a node is deleted after its grace, which can only become shorter", limits, async () => {
    const path = `${core}/pods/graceful`;
    await send("POST", `${core}/pods`, pod("graceful", {}, { terminationGracePeriodSeconds: 40 }));
    const before = await readyPod("graceful");
    assert.equal(numberAt(before, "metadata", "generation"), 1);
    const tried = await send("DELETE", `${path}?dryRun=All`);
    assert.equal(numberAt(tried, "metadata", "deletionGracePeriodSeconds"), 40);
    assert.equal(textAt(await find(path), "metadata", "deletionTimestamp"), undefined);
    const first = await send("DELETE", path, { gracePeriodSeconds: 30 });
    assert.equal(textAt(first, "kind"), "Pod");
    assert.match(textAt(first, "metadata", "deletionTimestamp") ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(numberAt(first, "metadata", "deletionGracePeriodSeconds"), 30);
    assert.equal(numberAt(first, "metadata", "generation"), 2);
    const longer = await send("DELETE", path, { gracePeriodSeconds: 35 });
    assert.equal(numberAt(longer, "metadata", "deletionGracePeriodSeconds"), 30);
    const now = await send("DELETE", path, { gracePeriodSeconds: 0 });
    assert.equal(textAt(now, "kind"), "Pod");
    assert.equal(await find(path), undefined);
  });

  test("a pod that no node takes says so, and is deleted at once", limits, async () => {
    await send("POST", `${core}/pods`, pod("nowhere", {}, { nodeSelector: { no: "where" } }));
    const condition = await eventually(async () => {
      const found = listAt(await find(`${core}/pods/nowhere`), "status", "conditions");
      return found.find((one) => textAt(one, "type") === "PodScheduled");
    });
    assert.deepEqual([textAt(condition, "status"), textAt(condition, "reason")], ["False", "Unschedulable"]);
    assert.match(
      textAt(condition, "message") ?? "",
      /^0\/1 nodes are available: 1 node\(s\) didn't match Pod's node aff/,
    );
    await send("DELETE", `${core}/pods/nowhere`);
    assert.equal(await find(`${core}/pods/nowhere`), undefined);
  });

  test("a dry run of a pod leaves none", limits, async () => {
    const tried = await send("POST", `${core}/pods?dryRun=All`, pod("tried"));
    assert.equal(textAt(tried, "status", "phase"), "Pending");
    assert.equal(await find(`${core}/pods/tried`), undefined);
  });
}
