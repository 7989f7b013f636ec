import assert from "node:assert/strict";
import { test } from "node:test";
import { startFakeCluster, workload } from "../../../test/support/workloads.ts";
import { textAt } from "../json.ts";
import { denied } from "../status.ts";

const newImage = { spec: { template: { spec: { containers: [{ name: "app", image: "two" }] } } } };

test("a Deployment's update keeps old pods until new ones are ready", async () => {
  await using t = await startFakeCluster({ readyMs: 1_000 });
  await t.create("deployments.apps", workload("cart", 2));
  await t.advance(1_000);
  const old = t.names("pods");
  await t.patch("deployments.apps", "cart", newImage);
  assert.equal(t.names("pods").length, 4);
  await t.advance(1_000);
  assert.equal(t.names("pods").length, 2);
  assert.deepEqual(
    old.filter((name) => t.names("pods").includes(name)),
    [],
  );
  assert.equal(t.names("replicasets.apps").length, 2);
});

test("a Deployment that recreates has no new pods before the old ones are gone", async () => {
  await using t = await startFakeCluster({ terminateMs: 1_000 });
  await t.create("deployments.apps", workload("cart", 1, { strategy: { type: "Recreate" } }));
  const images = () => {
    const specs = t.list("pods").map(({ spec }) => JSON.stringify(spec));
    return specs.map((spec) => (spec.includes('"two"') ? "two" : "one"));
  };
  await t.patch("deployments.apps", "cart", newImage);
  assert.deepEqual(images(), ["one"]);
  await t.advance(1_000);
  assert.deepEqual(images(), ["two"]);
});

test("a Deployment takes over a ReplicaSet that matches", async () => {
  await using t = await startFakeCluster();
  await t.create("replicasets.apps", { ...workload("cart", 1), metadata: { name: "cart", labels: { app: "cart" } } });
  await t.create("deployments.apps", { ...workload("cart", 0), metadata: { name: "taker" } });
  const set = t.find("replicasets.apps", "cart");
  assert.match(JSON.stringify(set?.metadata.ownerReferences), /"kind":"Deployment","name":"taker"/);
  assert.deepEqual(t.names("pods"), []);
});

test("pods that admission refuses are tried again with a growing delay, and come when it allows them", async () => {
  let isFull = true;
  let tries = 0;
  await using t = await startFakeCluster({
    admit({ operation, resource, name }) {
      if (operation === "CREATE" && resource.plural === "pods") {
        tries++;
        if (isFull) throw denied(resource, name, "exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0");
      }
      return undefined;
    },
  });
  await t.create("deployments.apps", workload("cart", 1));
  await t.advance(10_000);
  assert.deepEqual(t.names("pods"), []);
  assert.ok(tries > 3 && tries < 40, `${tries} tries`);
  isFull = false;
  await t.advance(60_000);
  assert.equal(textAt(t.list("pods")[0], "status", "phase"), "Running");
});
