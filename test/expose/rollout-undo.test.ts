/** What `kubectl rollout undo` brings back: the marks of an exposure that has ended, out of a ReplicaSet that has kept them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { annotations } from "../../src/expose/records.ts";
import { textsAt } from "../../src/kube/json.ts";
import { type FaultLab, openFaultLab } from "./fault-lab.ts";

const stale = {
  [annotations.session]: "dddddddd-0000-4000-8000-00000000000d",
  [annotations.replicas]: "7",
  [annotations.holder]: "alice@laptop",
};

function undo(lab: FaultLab): void {
  const place = { resource: lab.sandbox.server.resource("deployments.apps"), namespace: "a" };
  lab.sandbox.server.objects.patch(place, "web", { metadata: { annotations: stale } });
}

test("a rollout undo while it is exposed: stop still puts it back", async () => {
  await using lab = await openFaultLab();
  using place = await lab.namespace("a");
  const before = place.state();
  await using daemon = place.daemon();
  await daemon.expose();
  undo(lab);
  await daemon.stop();
  assert.deepEqual(place.state(), before);
  assert.deepEqual(place.leftovers(), []);
});

test("a rollout undo later: the next exposure is not refused, and leaves no marks", async () => {
  await using lab = await openFaultLab();
  using place = await lab.namespace("a");
  const before = place.state();
  undo(lab);
  await using daemon = place.daemon();
  await daemon.expose();
  await daemon.stop();
  assert.deepEqual(place.state(), before);
});

test("a rollout undo while it is exposed: restore leaves the living session's owner alone", async () => {
  await using lab = await openFaultLab();
  using place = await lab.namespace("a");
  await using daemon = place.daemon();
  await daemon.expose();
  undo(lab);
  const { restored, failures, alive } = await place.restore();
  assert.deepEqual([restored, failures, alive.length], [0, [], 1]);
  await daemon.stop();
});

test("a rollout undo later: restore takes the marks off, and leaves the number", async () => {
  await using lab = await openFaultLab();
  using place = await lab.namespace("a");
  const before = place.state();
  undo(lab);
  await place.restore();
  assert.deepEqual(place.state(), before);
});

test("no ReplicaSet keeps the marks of an exposure that has ended", async () => {
  await using lab = await openFaultLab();
  using place = await lab.namespace("a");
  await using daemon = place.daemon();
  const sets = () =>
    lab.sandbox.server.store
      .list(lab.sandbox.server.resource("replicasets.apps"), "a")
      .flatMap(({ metadata }) => Object.keys(textsAt(metadata, "annotations") ?? {}));
  await daemon.expose();
  await lab.workloads.settled();
  assert.ok(sets().includes(annotations.session));
  await daemon.stop();
  await lab.workloads.settled();
  assert.ok(!sets().includes(annotations.session));
});
