import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FakeKubeOptions } from "../../test/support/fake-kube.ts";
import {
  cartLabels,
  cartPod,
  deployed,
  shopComponents,
  shopObject,
  workload,
} from "../../test/support/shop-objects.ts";
import { findOwners } from "./owners.ts";
import { wouldAdopt } from "./scalable-owner.ts";

const rollouts = { apiVersion: "argoproj.io/v1alpha1", kind: "Rollout", plural: "rollouts", scale: true } as const;
const shops = { apiVersion: "example.com/v1", kind: "Shop", plural: "shops" } as const;
const rolloutRef = { apiVersion: rollouts.apiVersion, kind: "Rollout", name: "cart" };
const shopRef = { apiVersion: shops.apiVersion, kind: "Shop", name: "main" };
const rollout = shopObject(rollouts.apiVersion, "Rollout", "cart", { spec: { size: 3 } });
const ofReplicaSet = (name: string) => ({ owner: { apiVersion: "apps/v1", kind: "ReplicaSet", name } });

async function climb(pods: readonly object[], objects: readonly object[], options: Partial<FakeKubeOptions> = {}) {
  const components = shopComponents({ objects, kinds: [rollouts, shops], ...options });
  const ownership = await findOwners(
    components,
    pods.map((object) => ({ object })),
  );
  return { ...ownership, calls: components.calls };
}

describe("findOwners()", () => {
  it("climbs from a pod over its ReplicaSet to the Deployment", async () => {
    const [deployment, replicaSet, pod] = deployed("cart", { spec: { replicas: 2 } });
    assert.ok(deployment !== undefined && replicaSet !== undefined && pod !== undefined);
    const { owners, bare, unscalable, denied } = await climb([pod], [deployment, replicaSet]);
    const [owner] = owners;
    assert.ok(owner !== undefined && owners.length === 1);
    const { below, template: _, selector, ...facts } = owner;
    assert.deepEqual(facts, {
      ...{ group: "apps", version: "v1", plural: "deployments", kind: "Deployment" },
      ...{ namespace: "shop", name: "cart", uid: "uid-Deployment-cart" },
      ...{ replicas: 2, scaleBy: "spec", labels: {}, annotations: {}, losesVolumes: false, managedBy: undefined },
    });
    assert.deepEqual(selector?.matchLabels, cartLabels);
    assert.deepEqual(below, [pod]);
    assert.deepEqual({ bare, unscalable, denied }, { bare: [], unscalable: [], denied: [] });
  });

  it("gives an owner of many pods once, and reads it once", async () => {
    const pods = ["a", "b", "c"].map((name) => cartPod(name, ofReplicaSet("cart")));
    const { owners, calls } = await climb(pods, [workload("ReplicaSet", "cart")]);
    assert.deepEqual(
      owners.map(({ below, replicas }) => [below.length, replicas]),
      [[3, 1]],
    );
    assert.equal(calls.filter((call) => call.endsWith("/replicasets/cart")).length, 1);
  });

  it("gives mixed owners, a custom resource among them, and asks /scale how far that is scaled", async () => {
    const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "db" };
    const pods = [cartPod("a", ofReplicaSet("cart-1")), cartPod("db-0", { owner })];
    const replicaSet = workload("ReplicaSet", "cart-1", { owner: rolloutRef });
    const { owners } = await climb(pods, [
      replicaSet,
      rollout,
      workload("StatefulSet", "db", { spec: { replicas: 0 } }),
    ]);
    assert.deepEqual(
      owners.map(({ kind, name, replicas, scaleBy, managedBy }) => [kind, name, replicas, scaleBy, managedBy]),
      [
        ["Rollout", "cart", 3, "scale", undefined],
        ["StatefulSet", "db", 0, "spec", undefined],
      ],
    );
  });

  it("stops below an owner without /scale, and names it", async () => {
    const { owners } = await climb(
      [cartPod("a", ofReplicaSet("cart"))],
      [workload("ReplicaSet", "cart", { owner: shopRef })],
    );
    assert.deepEqual(
      owners.map(({ kind, managedBy }) => [kind, managedBy]),
      [["ReplicaSet", { kind: "Shop", name: "main" }]],
    );
  });

  it("names an owner that does not call itself the controller", async () => {
    const replicaSet = workload("ReplicaSet", "cart", { owner: { ...shopRef, controller: false } });
    const { owners } = await climb([cartPod("a", ofReplicaSet("cart"))], [replicaSet]);
    assert.deepEqual(owners[0]?.managedBy, { kind: "Shop", name: "main" });
  });

  it("names pods without controller, and controllers that cannot be scaled", async () => {
    const owner = { apiVersion: "apps/v1", kind: "DaemonSet", name: "agent" };
    const bare = cartPod("alone", { owner: { ...shopRef, controller: false } });
    const { owners, ...rest } = await climb([bare, cartPod("a", { owner }), cartPod("b", { owner })], []);
    assert.deepEqual(owners, []);
    assert.deepEqual(rest.bare, [bare]);
    assert.deepEqual(rest.unscalable, [{ kind: "DaemonSet", name: "agent" }]);
  });

  it("names owners that are gone, also when there is another one of that name", async () => {
    const other = workload("ReplicaSet", "cart", { metadata: { uid: "another" } });
    const pods = [cartPod("a", ofReplicaSet("cart")), cartPod("b", ofReplicaSet("gone"))];
    const { owners, bare, unscalable, gone } = await climb(pods, [other]);
    assert.deepEqual({ owners, bare, unscalable }, { owners: [], bare: [], unscalable: [] });
    assert.deepEqual(
      gone.map(({ name }) => name),
      ["cart", "gone"],
    );
  });

  it("does not take a kind without namespaces for an owner to scale", async () => {
    const kinds = [{ ...rollouts, clusterWide: true }];
    const { unscalable } = await climb([cartPod("a", { owner: rolloutRef })], [], { kinds });
    assert.deepEqual(unscalable, [{ kind: "Rollout", name: "cart" }]);
  });

  it("names the right that is missing to climb on, once", async () => {
    const objects = [workload("ReplicaSet", "cart-1", { owner: rolloutRef }), rollout];
    const pods = [cartPod("a", ofReplicaSet("cart-1")), cartPod("b", ofReplicaSet("cart-1"))];
    const right = { verb: "get", group: "argoproj.io", resource: "rollouts", namespace: "shop" };
    const unread = await climb(pods, objects, { denied: ["get rollouts.argoproj.io"] });
    assert.deepEqual([unread.owners, unread.denied], [[], [right]]);
    const unscaled = await climb(pods, objects, { denied: ["get rollouts.argoproj.io/scale"] });
    assert.deepEqual([unscaled.owners, unscaled.denied], [[], [{ ...right, subresource: "scale" }]]);
  });

  it("ends when owners own each other", async () => {
    const one = workload("ReplicaSet", "one", ofReplicaSet("other"));
    const { owners } = await climb(
      [cartPod("a", ofReplicaSet("one"))],
      [one, workload("ReplicaSet", "other", ofReplicaSet("one"))],
    );
    assert.equal(owners.length, 1);
  });

  for (const [spec, expected] of [
    [{ persistentVolumeClaimRetentionPolicy: { whenScaled: "Delete" }, volumeClaimTemplates: [{}] }, true],
    [{ persistentVolumeClaimRetentionPolicy: { whenScaled: "Delete" } }, false],
    [{ persistentVolumeClaimRetentionPolicy: { whenScaled: "Retain" }, volumeClaimTemplates: [{}] }, false],
    [{ volumeClaimTemplates: [{}] }, false],
  ] as const) {
    it(`says ${expected} to whether volumes go with ${JSON.stringify(spec)}`, async () => {
      const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "db" };
      const { owners } = await climb([cartPod("db-0", { owner })], [workload("StatefulSet", "db", { spec })]);
      assert.equal(owners[0]?.losesVolumes, expected);
    });
  }
});

describe("wouldAdopt()", () => {
  const selector = { matchLabels: cartLabels, matchExpressions: [] };
  for (const [group, plural, expected] of [
    ["apps", "replicasets", true],
    ["", "replicationcontrollers", true],
    ["apps", "deployments", false],
    ["apps", "statefulsets", false],
  ] as const) {
    it(`is ${expected} for ${plural}`, () => {
      assert.equal(wouldAdopt({ group, plural, selector }, { app: "cart" }), expected);
      assert.equal(wouldAdopt({ group, plural, selector }, { app: "other" }), false);
      assert.equal(wouldAdopt({ group, plural, selector: undefined }, { app: "cart" }), false);
    });
  }
});
