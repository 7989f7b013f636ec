import assert from "node:assert/strict";
import { test } from "node:test";
import { startFakeCluster, workload } from "../../../test/support/workloads.ts";

test("a StatefulSet waits for each pod before it goes on, up and down", async () => {
  await using t = await startFakeCluster({ readyMs: 1_000, terminateMs: 1_000 });
  await t.create("statefulsets.apps", workload("store", 2));
  assert.deepEqual(t.names("pods"), ["store-0"]);
  await t.advance(1_000);
  assert.deepEqual(t.names("pods"), ["store-0", "store-1"]);
  await t.advance(1_000);
  await t.patch("statefulsets.apps", "store", { spec: { replicas: 0 } });
  const going = () => t.list("pods").filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
  assert.deepEqual(
    going().map(({ metadata }) => metadata.name),
    ["store-1"],
  );
  await t.advance(1_000);
  assert.deepEqual(
    going().map(({ metadata }) => metadata.name),
    ["store-0"],
  );
  await t.advance(1_000);
  assert.deepEqual(t.names("pods"), []);
});

test("a StatefulSet that says Parallel waits for none", async () => {
  await using t = await startFakeCluster({ readyMs: 1_000 });
  await t.create("statefulsets.apps", workload("store", 3, { podManagementPolicy: "Parallel" }));
  assert.deepEqual(t.names("pods"), ["store-0", "store-1", "store-2"]);
  await t.patch("statefulsets.apps", "store", { spec: { replicas: 0 } });
  assert.deepEqual(t.names("pods"), []);
});
