/** Preflight on a real cluster: every kind of owner, as the administrator, as a user with `edit` in one namespace, and with `view`. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { plannedOwners, preflight } from "../../src/expose/preflight.ts";
import { serviceKey } from "../../src/model/service-key.ts";
import { openPreflightShop } from "./preflight-shop.ts";

const limits = { timeout: 300_000 };
const shop = await openPreflightShop();
const { namespace, fleets, admin, editor, viewer } = shop;
after(() => shop[Symbol.asyncDispose]());

function planOf(name: string, as = admin, maps: readonly string[] = []) {
  const wish = { key: serviceKey(namespace, name), maps, allowVolumeLoss: false, allowPartial: false };
  return preflight(as, wish, AbortSignal.timeout(120_000));
}

async function ownersOf(name: string, as = admin) {
  const { owners } = await planOf(name, as);
  return owners.map(({ kind, name: called, replicas, scaleBy, adopts }) => [kind, called, replicas, scaleBy, adopts]);
}

for (const [name, expected] of [
  ["web", [["Deployment", "web", 2, "spec", false]]],
  ["db", [["StatefulSet", "db", 1, "spec", false]]],
  ["set", [["ReplicaSet", "set", 1, "spec", true]]],
  ["old", [["ReplicationController", "old", 1, "spec", true]]],
  ["fleet", [["Fleet", "fleet", 3, "scale", false]]],
  ["idle", [["Deployment", "idle", 0, "spec", false]]],
] as const) {
  test(`the owner of "${name}" is found`, limits, async () => {
    assert.deepEqual(await ownersOf(name), expected);
  });
}

test("mixed owners are found, and the pod without one is named", limits, async () => {
  const owners = await ownersOf("mixed");
  assert.deepEqual(owners.sort(), [
    ["Deployment", "mixed", 1, "spec", false],
    ["StatefulSet", "mixed-too", 1, "spec", false],
  ]);
  const { errors, warnings } = await planOf("mixed");
  const sentence = 'Pod "alone" has no controller: it is left alone and goes on answering beside the local process';
  assert.deepEqual([errors, warnings], [[sentence], []]);
});

test("a DaemonSet is refused by name", limits, async () => {
  const message = `Cannot expose "${namespace}/agent": pods of it belong to DaemonSet "agent", which cannot be scaled to 0`;
  await assert.rejects(planOf("agent"), { code: "conflict", message });
});

test("a Service that is missing is refused with the nearest name", limits, async () => {
  const message = `Cannot expose "${namespace}/wbe": namespace "${namespace}" has no such Service; did you mean "web"?`;
  await assert.rejects(planOf("wbe"), { code: "not-found", message });
});

test("a user with edit in the namespace gets the whole plan, as the administrator does", limits, async () => {
  const plan = await planOf("web", editor, ["3000:http"]);
  assert.deepEqual(plan, await planOf("web", admin, ["3000:http"]));
  assert.deepEqual(plan.ports, [{ servicePort: 80, name: "http", remote: 7003, remoteName: "http", local: 3000 }]);
  assert.deepEqual(plan.selector, { app: "web" });
  assert.deepEqual(plan.adopters, []);
  assert.deepEqual(plan.warnings, [
    'HorizontalPodAutoscaler "web" pauses while Deployment "web" is at 0, and goes on when the replicas are back',
    'Service "all-web" leads to pods of Deployment "web", too: it loses these endpoints while they are at 0',
  ]);
  for (const name of ["db", "set", "old", "mixed", "idle"]) {
    assert.deepEqual(await planOf(name, editor), await planOf(name), name);
  }
});

test("a headless Service has a name for its pod", limits, async () => {
  const { pod } = await planOf("db");
  assert.deepEqual([pod.hostname, pod.subdomain], ["db-0", "db"]);
});

test("a user with edit is told which right to a custom resource is missing", limits, async () => {
  const message = `Cannot expose "${namespace}/fleet": in namespace "${namespace}" you lack rights to ${fleets} (get)`;
  await assert.rejects(planOf("fleet", editor), { code: "denied", message });
});

test("a user with view is told all rights that are missing", limits, async () => {
  const rights =
    "pods (create, patch, delete), secrets (create, get, delete), leases.coordination.k8s.io (create, get, patch, delete), " +
    "deployments.apps (patch), pods/portforward (create or get)";
  const message = `Cannot expose "${namespace}/web": in namespace "${namespace}" you lack rights to ${rights}`;
  await assert.rejects(planOf("web", viewer), { code: "denied", message });
});

test("the kinds that can be scaled are found, the new one among them", limits, async () => {
  const { kinds, failures } = await admin.discovery.scalableKinds();
  assert.deepEqual(failures, []);
  const names = kinds.map(({ group, plural }) => (group === "" ? plural : `${plural}.${group}`));
  for (const name of ["deployments.apps", "statefulsets.apps", "replicasets.apps", "replicationcontrollers", fleets]) {
    assert.ok(names.includes(name), `${name} is not among ${names.join(", ")}`);
  }
  assert.ok(!names.includes("daemonsets.apps"));
});

test("the owners of a plan are found again", limits, async () => {
  const plan = await planOf("set");
  assert.deepEqual(await plannedOwners(editor, plan), { owners: plan.owners, closed: [] });
  assert.deepEqual(await plannedOwners(editor, await planOf("idle")), { owners: [], closed: [] });
});
