/** What a cluster makes of workloads and Services: pods, their owners, endpoints, and what scaling does to them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { at, listAt, numberAt, textAt, textsAt } from "../../src/kube/json.ts";
import { callsOf, eventually, type WorkloadTarget } from "./workload-target.ts";

const limits = { timeout: 60_000 };

/** Registers the cases, each as a test. The target must live as long as they run. */
export function workloadSuite(target: WorkloadTarget): void {
  const { send, podSpec, neverReady, core, apps, find, list, endpoints, slicesOf } = callsOf(target);
  const name = (object: unknown) => textAt(object, "metadata", "name") ?? "";
  const controller = (object: unknown) =>
    listAt(object, "metadata", "ownerReferences").find((owner) => at(owner, "controller") === true);
  const workload = (app: string, replicas: number, template: object = { spec: podSpec }) => ({
    metadata: { name: app },
    spec: {
      replicas,
      selector: { matchLabels: { app } },
      template: { ...template, metadata: { ...Object(at(template, "metadata")), labels: { app } } },
    },
  });
  const service = (app: string, more: object = {}) => ({
    metadata: { name: app },
    spec: {
      selector: { app },
      ports: [
        { name: "web", port: 80, targetPort: "http" },
        { name: "admin", port: 81 },
      ],
      ...more,
    },
  });
  const isCount =
    (count: number) =>
    <T>(found: readonly T[]) =>
      found.length === count && found;
  const ready = (app: string, count: number) =>
    eventually(async () => isCount(count)((await endpoints(app)).filter((one) => one.endsWith(" ready"))));
  const pods = (app: string) => list(`${core}/pods`, `app=${app}`);

  test("a Deployment has pods by way of a ReplicaSet, and its Service their addresses", limits, async () => {
    await send("POST", `${core}/services`, service("shop"));
    const made = await send("POST", `${apps}/deployments`, workload("shop", 2));
    const [first = ""] = await ready("shop", 2);
    const [pod] = await pods("shop");
    assert.ok(first.startsWith(name(pod)));
    const set = await find(`${apps}/replicasets/${textAt(controller(pod), "name")}`);
    const hash = textAt(pod, "metadata", "labels", "pod-template-hash") ?? "";
    assert.equal(name(set), `shop-${hash}`);
    assert.match(name(pod), new RegExp(`^shop-${hash}-[a-z0-9]{5}$`));
    assert.equal(textAt(pod, "metadata", "generateName"), `shop-${hash}-`);
    assert.deepEqual(textsAt(set, "spec", "selector", "matchLabels"), { app: "shop", "pod-template-hash": hash });
    assert.deepEqual(controller(set), {
      apiVersion: "apps/v1",
      kind: "Deployment",
      name: "shop",
      uid: textAt(made, "metadata", "uid"),
      controller: true,
      blockOwnerDeletion: true,
    });
    assert.equal(textAt(pod, "status", "phase"), "Running");
    const [slice] = await slicesOf("shop");
    assert.deepEqual(listAt(slice, "ports"), [
      { name: "web", protocol: "TCP", port: 8080 },
      { name: "admin", protocol: "TCP", port: 81 },
    ]);
    const endpoint = listAt(slice, "endpoints").find((one) => textAt(one, "targetRef", "name") === name(pod));
    assert.deepEqual(at(endpoint, "conditions"), { ready: true, serving: true, terminating: false });
    assert.deepEqual(at(endpoint, "addresses"), [textAt(pod, "status", "podIP")]);
    assert.equal(textAt(endpoint, "targetRef", "uid"), textAt(pod, "metadata", "uid"));
    assert.equal(textAt(controller(slice), "kind"), "Service");
    assert.match(name(slice), /^shop-[a-z0-9]{5}$/);
    const counts = await eventually(async () => {
      const status = at(await find(`${apps}/deployments/shop`), "status");
      return numberAt(status, "readyReplicas") === 2 && status;
    });
    assert.deepEqual(
      ["replicas", "updatedReplicas", "availableReplicas", "observedGeneration"].map((field) =>
        numberAt(counts, field),
      ),
      [2, 2, 2, 1],
    );
  });

  test("a Deployment at none has no pods and no endpoints, and comes back with others", limits, async () => {
    const path = `${apps}/deployments/shop`;
    const before = (await pods("shop")).map(name);
    const annotations = { "localizer.dev/session": "s1" };
    await send("PATCH", path, { metadata: { annotations }, spec: { replicas: 0 } });
    await eventually(async () => isCount(0)(await pods("shop")));
    await eventually(async () => isCount(0)(await endpoints("shop")));
    const [slice] = await slicesOf("shop");
    assert.deepEqual([at(slice, "endpoints"), at(slice, "ports")], [null, null]);
    const set = () => list(`${apps}/replicasets`, "app=shop").then(([found]) => found);
    assert.equal(numberAt(await set(), "spec", "replicas"), 0);
    // Who looks at a ReplicaSet sees its Deployment's annotations, old ones too.
    assert.equal(textAt(await set(), "metadata", "annotations", "localizer.dev/session"), "s1");
    await send("PATCH", path, { metadata: { annotations: { "localizer.dev/session": null } }, spec: { replicas: 1 } });
    await ready("shop", 1);
    assert.equal(textAt(await set(), "metadata", "annotations", "localizer.dev/session"), "s1");
    const [again = ""] = (await pods("shop")).map(name);
    assert.ok(!before.includes(again));
    assert.equal(name((await slicesOf("shop"))[0]), name(slice));
    await send("PATCH", `${path}/scale`, { spec: { replicas: 2 } });
    await ready("shop", 2);
    await send("DELETE", path, { propagationPolicy: "Background" });
    await eventually(async () =>
      isCount(0)([...(await pods("shop")), ...(await list(`${apps}/replicasets`, "app=shop"))]),
    );
    await send("DELETE", `${core}/services/shop`);
    await eventually(async () => isCount(0)(await slicesOf("shop")));
  });

  test("a StatefulSet has pods by number, and takes the last one first", limits, async () => {
    await send("POST", `${core}/services`, service("store", { clusterIP: "None" }));
    const body = workload("store", 2);
    await send("POST", `${apps}/statefulsets`, { ...body, spec: { ...body.spec, serviceName: "store" } });
    assert.deepEqual(await ready("store", 2), ["store-0 ready", "store-1 ready"]);
    const [slice] = await slicesOf("store");
    assert.equal(at(slice, "metadata", "labels", "service.kubernetes.io/headless"), "");
    assert.deepEqual(
      listAt(slice, "endpoints")
        .map((one) => textAt(one, "hostname"))
        .sort(),
      ["store-0", "store-1"],
    );
    const pod = await find(`${core}/pods/store-1`);
    assert.equal(textAt(pod, "metadata", "labels", "statefulset.kubernetes.io/pod-name"), "store-1");
    assert.equal(textAt(controller(pod), "kind"), "StatefulSet");
    await send("PATCH", `${apps}/statefulsets/store/scale`, { spec: { replicas: 1 } });
    await eventually(async () => isCount(1)(await pods("store")));
    assert.deepEqual((await pods("store")).map(name), ["store-0"]);
    await send("PATCH", `${apps}/statefulsets/store`, { spec: { replicas: 0 } });
    await eventually(async () => isCount(0)(await pods("store")));
    await send("DELETE", `${apps}/statefulsets/store`, { propagationPolicy: "Background" });
  });

  test("a ReplicationController is scaled like the others", limits, async () => {
    const { metadata, spec } = workload("old", 1);
    const body = { metadata, spec: { replicas: 1, template: spec.template } };
    const made = await send("POST", `${core}/replicationcontrollers`, body);
    assert.equal(textAt(made, "metadata", "labels", "app"), "old");
    const pod = await eventually(async () => (await pods("old"))[0]);
    assert.equal(textAt(controller(pod), "kind"), "ReplicationController");
    const scale = await send("PATCH", `${core}/replicationcontrollers/old/scale`, { spec: { replicas: 0 } });
    assert.equal(textAt(scale, "status", "selector"), "app=old");
    await eventually(async () => isCount(0)(await pods("old")));
    await send("DELETE", `${core}/replicationcontrollers/old`, { propagationPolicy: "Background" });
  });

  test("a pod that runs and is not ready stands in the slice as such", limits, async () => {
    await send("POST", `${core}/services`, service("slow"));
    await send("POST", `${apps}/replicasets`, workload("slow", 1, neverReady));
    const [seen] = await eventually(async () => isCount(1)(await endpoints("slow")));
    assert.match(String(seen), /^slow-[a-z0-9]{5} not-ready$/);
    await send("PATCH", `${core}/services/slow`, { spec: { publishNotReadyAddresses: true } });
    await ready("slow", 1);
    await send("DELETE", `${apps}/replicasets/slow`, { propagationPolicy: "Background" });
    await send("DELETE", `${core}/services/slow`);
  });
}
