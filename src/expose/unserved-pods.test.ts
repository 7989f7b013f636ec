import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  cartLabels,
  cartPod,
  cartService,
  deployed,
  shopComponents,
  shopObject,
  workload,
} from "../../test/support/shop-objects.ts";
import { cartPlan, cartWish, ownedBy } from "../../test/support/shop-plan.ts";
import { plannedOwners } from "./preflight.ts";

const podName = "statefulset.kubernetes.io/pod-name";
const broker = (name: string, more: object = {}) =>
  cartPod(name, { ...ownedBy("StatefulSet", "kafka"), labels: { ...cartLabels, [podName]: name }, ...more });
const one = { selector: { [podName]: "kafka-0" } };
const set = workload("StatefulSet", "kafka", { spec: { replicas: 3 } });
const other = (name: string, selector: object) => shopObject("v1", "Service", name, { spec: { selector } });
const services = [
  cartService(one),
  other("kafka-1", { [podName]: "kafka-1" }),
  other("kafka-2", { [podName]: "kafka-2" }),
  other("kafka", cartLabels),
];
const kafka = [...services, set, broker("kafka-0"), broker("kafka-1"), broker("kafka-2")];
const taken = 'StatefulSet "kafka" to 0 takes away all 3 of its pods, and the Service leads to 1 of them';

describe("preflight(), of an owner whose pods the Service does not all lead to,", () => {
  it("refuses, with what would go, which Services lose it, and the flag", async () => {
    const losers = 'Services "kafka-1", "kafka-2", "kafka" would lose theirs';
    await assert.rejects(cartPlan({ objects: kafka }), {
      code: "conflict",
      message: `Cannot expose "shop/cart": scaling ${taken}; ${losers}; --allow-partial does it all the same`,
    });
  });

  it("refuses without the Services where those may not be listed", async () => {
    await assert.rejects(cartPlan({ objects: kafka, denied: ["list services"] }), {
      message: `Cannot expose "shop/cart": scaling ${taken}; --allow-partial does it all the same`,
    });
  });

  it("goes ahead when told to, says so, and names the other Services", async () => {
    const { owners, allowsPartial, warnings } = await cartPlan({ objects: kafka }, { allowPartial: true });
    assert.deepEqual([owners.map(({ partlyServed }) => partlyServed), allowsPartial], [[true], true]);
    const loses = (name: string) =>
      `Service "${name}" leads to pods of StatefulSet "kafka", too: it loses these endpoints while they are at 0`;
    assert.deepEqual(warnings, [
      `Scaling ${taken}, which you have allowed`,
      ...["kafka-1", "kafka-2", "kafka"].map(loses),
    ]);
  });

  it("refuses a Service for one ReplicaSet of a Deployment", async () => {
    const old = { owner: ownedBy("ReplicaSet", "cart-0").owner, labels: { ...cartLabels, "pod-template-hash": "0" } };
    const objects = [
      cartService({ selector: { ...cartLabels, "pod-template-hash": "1" } }),
      ...deployed("cart"),
      workload("ReplicaSet", "cart-0", ownedBy("Deployment", "cart")),
      cartPod("cart-0-a", old),
    ];
    const sentence =
      'scaling Deployment "cart" to 0 takes away all 2 of its pods, and the Service leads to 1 of them; --allow-partial does it all the same';
    await assert.rejects(cartPlan({ objects }), { message: `Cannot expose "shop/cart": ${sentence}` });
  });

  it("refuses one that has lost all its pods to another template", async () => {
    const template = { metadata: { labels: { ...cartLabels, tier: "new" } }, spec: { containers: [] } };
    const objects = [
      cartService({ selector: { ...cartLabels, tier: "new" } }),
      workload("StatefulSet", "kafka", { spec: { template } }),
      broker("kafka-0"),
    ];
    await assert.rejects(cartPlan({ objects }), /takes away its only pod, which the Service does not lead to/);
  });

  it("takes a custom owner that does not say which pods are its own at what they say", async () => {
    const rollout = { apiVersion: "argoproj.io/v1alpha1", kind: "Rollout", name: "cart" };
    const kinds = [{ ...rollout, plural: "rollouts", scale: true }];
    const objects = [
      cartService(one),
      shopObject(rollout.apiVersion, "Rollout", "cart", { spec: { size: 2 } }),
      cartPod("a", { owner: rollout, labels: { [podName]: "kafka-0" } }),
      cartPod("b", { owner: rollout, labels: {} }),
    ];
    await assert.rejects(cartPlan({ objects, kinds }), /Rollout "cart" to 0 takes away all 2 of its pods/);
  });
});

describe("preflight() does not take for such an owner", () => {
  for (const [what, more] of [
    ["one whose other pods leave", broker("kafka-1", { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } })],
    ["one whose other pods have ended", broker("kafka-1", { status: { phase: "Failed" } })],
    ["the pods of an exposure", broker("kafka-1", { labels: { ...cartLabels, "localizer.dev/session": "s" } })],
    ["pods of others, with its labels", cartPod("stray", { labels: cartLabels })],
  ] as const) {
    it(what, async () => {
      const { warnings, owners } = await cartPlan({ objects: [cartService(one), set, broker("kafka-0"), more] });
      assert.deepEqual([warnings, owners.length], [[], 1]);
    });
  }

  it("a Deployment in a rollout", async () => {
    const hash = { ...cartLabels, "pod-template-hash": "0" };
    const objects = [
      cartService(),
      ...deployed("cart"),
      workload("ReplicaSet", "cart-0", ownedBy("Deployment", "cart")),
      cartPod("cart-0-a", { ...ownedBy("ReplicaSet", "cart-0"), labels: hash }),
    ];
    assert.deepEqual((await cartPlan({ objects })).warnings, []);
  });
});

describe("plannedOwners()", () => {
  const plan = { key: cartWish.key, selector: one.selector };
  const listed = (calls: readonly string[]) =>
    calls.filter((call) => /\/pods(\?|$)/.test(call)).map(decodeURIComponent);

  it("asks only for the pods that an owner selects", async () => {
    const components = shopComponents({ objects: kafka });
    await plannedOwners(components, plan);
    const [served, ...others] = listed(components.calls);
    assert.match(served ?? "", /kafka-0/);
    assert.deepEqual(
      others.map((call) => call.split("labelSelector=")[1]),
      ["app=cart"],
    );
  });

  it("does not look at the other pods of an owner that is known, or at 0", async () => {
    const known = (await plannedOwners(shopComponents({ objects: kafka }), plan)).owners;
    const at0 = kafka.map((object) =>
      object === set ? workload("StatefulSet", "kafka", { spec: { replicas: 0 } }) : object,
    );
    for (const [objects, asked] of [
      [kafka, { ...plan, known }],
      [at0, plan],
    ] as const) {
      const components = shopComponents({ objects });
      const { owners } = await plannedOwners(components, asked);
      assert.deepEqual(
        [owners.map(({ partlyServed }) => partlyServed), listed(components.calls).length],
        [[undefined], 1],
      );
    }
  });
});

it("plannedOwners() says which of them have pods that the Service does not lead to", async () => {
  const plan = { key: cartWish.key, selector: one.selector };
  const { owners } = await plannedOwners(shopComponents({ objects: kafka }), plan);
  assert.deepEqual(
    owners.map(({ name, partlyServed }) => [name, partlyServed]),
    [["kafka", true]],
  );
});
