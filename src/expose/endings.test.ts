import assert from "node:assert/strict";
import { test } from "node:test";
import {
  calling,
  cart,
  ExposeLab,
  exampleOwner,
  exampleRecord,
  keptLines,
  sessions,
} from "../../test/support/expose-lab.ts";
import { end, exposedCart, followSlices, held } from "../../test/support/exposed-cart.ts";
import { codeOf, type LocalizerError } from "../errors.ts";
import { endingOwners, endSession } from "./endings.ts";
import { annotations, labels } from "./records.ts";
import { takeLease } from "./session-lease.ts";

const lease = "localizer-cart";
const leases = "leases.coordination.k8s.io";
const deployments = "deployments.apps";

test("endSession() puts the owners back, takes the pod out of the Service, and deletes pod, Secret and Lease, in this order", async () => {
  await using lab = await ExposeLab.open();
  const { session, owner } = await exposedCart(lab);
  using _slices = followSlices(lab);
  const { ended, told } = end(lab, session);
  await ended;
  assert.deepEqual(lab.writes, [
    "PATCH deployments/cart",
    "PATCH pods/localizer-cart-0a1b2c3d",
    "DELETE pods/localizer-cart-0a1b2c3d",
    "DELETE secrets/localizer-cart-0a1b2c3d",
    `DELETE leases/${lease}`,
  ]);
  assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
  assert.deepEqual(told(), [
    'info scale-back: Deployment "shop/cart" is set to 3 again',
    'info clean-up: Pod "localizer-cart-0a1b2c3d" leaves the service',
  ]);
});

test("endSession() the second time makes sure of the owner, and does nothing else", async () => {
  await using lab = await ExposeLab.open();
  const { session, owner } = await exposedCart(lab);
  using _slices = followSlices(lab);
  await end(lab, session).ended;
  lab.writes.length = 0;
  const { ended, told } = end(lab, session, { waitMs: 60_000 });
  await ended;
  assert.deepEqual(lab.writes, ["PATCH deployments/cart", "PATCH deployments/cart"]);
  assert.deepEqual([lab.owner(owner), told()], [{ replicas: 3, annotations: {} }, []]);
});

for (const [at, verb, plural] of [
  ["the owner's patch", "patch", "deployments"],
  ["the list of pods", "list", "pods"],
  ["the pod's patch", "patch", "pods"],
  ["the pod's end", "delete", "pods"],
  ["the list of Secrets", "list", "secrets"],
  ["the Secret's end", "delete", "secrets"],
  ["the Lease's end", "delete", "leases"],
] as const) {
  test(`endSession() gets over a server that is away at ${at}, and tells of it`, async () => {
    await using lab = await ExposeLab.open();
    const { session, owner } = await exposedCart(lab);
    using _slices = followSlices(lab);
    lab.fail(calling(verb, plural), { kind: "failure", code: 503 }, 2);
    const { ended, told } = end(lab, session);
    await ended;
    assert.equal(told().filter((line) => line.startsWith("warn clean-up: Trying again: ")).length, 1);
    assert.deepEqual([lab.names("pods"), lab.names("secrets"), lab.names(leases)], [[], [], []]);
    assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
  });

  // Below: they can be left to the garbage collector.
  if (verb === "list" && plural === "secrets") continue;
  test(`endSession() that was denied at ${at} keeps the Lease, and is completed by another run`, async () => {
    await using lab = await ExposeLab.open();
    const { session, owner } = await exposedCart(lab);
    using _slices = followSlices(lab);
    lab.fail(calling(verb, plural), { kind: "forbidden" });
    await assert.rejects(end(lab, session).ended, (error) => codeOf(error) === "denied");
    assert.deepEqual(lab.names(leases), [lease]);
    await end(lab, session).ended;
    assert.deepEqual([lab.names("pods"), lab.names("secrets"), lab.names(leases)], [[], [], []]);
    assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
  });
}

test("endSession() that may not list Secrets ends all else: the Secret belongs to the Lease, and goes with it", async () => {
  await using lab = await ExposeLab.open();
  const { session, owner } = await exposedCart(lab);
  using _slices = followSlices(lab);
  lab.fail(calling("list", "secrets"), { kind: "forbidden" });
  await end(lab, session).ended;
  assert.deepEqual([lab.names("pods"), lab.names(leases)], [[], []]);
  assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
});

test("endSession() tries each owner though one fails; pod, Secret and Lease then stay, and it says how many are left", async () => {
  await using lab = await ExposeLab.open();
  const { session, owner, pod } = await exposedCart(lab);
  const [second, third] = [
    lab.deployment("second", 0, held(sessions.alice)),
    lab.widget("third", 0, held(sessions.alice)),
  ];
  const owners = [owner, second, third].map(({ replicas, ...one }) => one);
  lab.fail(calling("patch", "deployments"), { kind: "forbidden" }, 2);
  const { ended, told } = end(lab, { ...session, owners });
  await assert.rejects(ended, (error: LocalizerError) => {
    assert.equal(error.code, "denied");
    assert.match(
      error.message,
      /"cart" is forbidden: .*; 2 owners are still as the exposure left it, and its records are kept/,
    );
    return true;
  });
  assert.deepEqual(lab.owner(third), { replicas: 3, annotations: {} });
  assert.deepEqual([lab.names("pods"), lab.names(leases)], [[pod.metadata.name], [lease]]);
  assert.equal(lab.names("secrets").length, 1);
  assert.equal(told().filter((line) => line.startsWith("error scale-back: ")).length, 2);
});

test("endSession() touches nothing of another session", async () => {
  await using lab = await ExposeLab.open();
  lab.service();
  const shared = lab.deployment("cart", 0, held(sessions.bob, sessions.alice));
  const foreign = lab.deployment("other", 0, held(sessions.bob));
  lab.pod("bobs", sessions.bob);
  lab.pod("somebodys");
  lab.add("secrets", "bobs", { labels: { [labels.session]: sessions.bob } });
  await takeLease(lab.components, exampleRecord({ session: sessions.bob }), { durationMs: 60_000 });
  lab.patch(deployments, "other", { metadata: { annotations: { [annotations.holder]: "bob@desk" } } });
  lab.writes.length = 0;
  const owners = [shared, foreign].map(({ replicas, ...owner }) => ({ ...owner, fallback: 9 }));
  const { ended, told } = end(lab, { session: sessions.alice, namespace: "shop", key: cart, owners });
  await ended;
  assert.deepEqual(lab.writes, ["PATCH deployments/cart"]);
  assert.deepEqual(lab.owner(shared), { replicas: 0, annotations: held(sessions.bob) });
  const bobs = { ...held(sessions.bob), [annotations.holder]: "bob@desk" };
  assert.deepEqual(lab.owner(foreign), { replicas: 0, annotations: bobs });
  assert.deepEqual(told(), [
    'info scale-back: Deployment "shop/cart" stays at 0 for another exposure, until that ends',
    'info scale-back: Deployment "shop/other" stays at 0 for another exposure of bob@desk, until that ends',
  ]);
});

test("endSession() says of each owner what became of it", async () => {
  await using lab = await ExposeLab.open();
  const gone = { ...lab.deployment("gone", 0), uid: "uid-of-an-earlier-one" };
  const left = lab.deployment("left", 5, held(sessions.alice));
  const untouched = lab.deployment("untouched", 2);
  const owners = [gone, left, untouched].map(({ replicas, ...owner }) => owner);
  const { ended, told } = end(
    lab,
    { session: sessions.alice, namespace: "shop", key: cart, owners },
    { waitMs: 9_000 },
  );
  await ended;
  assert.deepEqual(told(), [
    'info scale-back: Deployment "shop/gone" does not exist any more',
    'info scale-back: Deployment "shop/left" stays at 5, which somebody has set it to meanwhile',
  ]);
});

test("endSession() without a key leaves Leases alone: none of this session is left", async () => {
  await using lab = await ExposeLab.open();
  const { session, owner } = await exposedCart(lab);
  await end(lab, { ...session, key: undefined }).ended;
  assert.deepEqual(lab.owner(owner).replicas, 3);
  assert.deepEqual([lab.names("pods"), lab.names("secrets"), lab.names(leases)], [[], [], [lease]]);
});

test("endSession() ends with its signal, with the last failure, and leaves what is not done for a later time", async () => {
  await using lab = await ExposeLab.open();
  const { session, owner } = await exposedCart(lab);
  lab.fail((call) => call !== undefined, { kind: "failure", code: 503 }, Number.POSITIVE_INFINITY);
  const stop = new AbortController();
  const { report } = keptLines();
  const ended = endSession(lab.components, session, { signal: stop.signal, report, waitMs: 0 });
  await lab.clock.asleep();
  stop.abort();
  await assert.rejects(ended, (error: LocalizerError) => {
    assert.equal(error.code, "unavailable");
    assert.match(error.message, /an owner is still as the exposure left it/);
    return true;
  });
  assert.deepEqual(lab.owner(owner), { replicas: 0, annotations: held(sessions.alice) });
  assert.equal(lab.clock.pending, 0);
});

test("endingOwners() give numbers only of a session that has scaled all of them", () => {
  const owners = [exampleOwner({ replicas: 3 })];
  const { replicas, ...owner } = exampleOwner();
  assert.deepEqual(endingOwners(exampleRecord({ owners, phase: "exposed" })), [{ ...owner, fallback: replicas }]);
  assert.deepEqual(endingOwners(exampleRecord({ owners, phase: "starting" })), [{ ...owner, planned: replicas }]);
});

test("endSession() does not raise an owner without annotations of a session that has not scaled it yet", async () => {
  await using lab = await ExposeLab.open();
  const { session, owner } = await exposedCart(lab, { phase: "starting" });
  lab.patch(deployments, "cart", { metadata: { annotations: null } as object });
  await end(lab, session).ended;
  assert.equal(lab.owner(owner).replicas, 0);
});

test("endSession() leaves a pod alone that was made under the name of its own while it looked", async () => {
  const found: { lab?: ExposeLab } = {};
  await using lab = await ExposeLab.open({
    onRequest({ method, path }) {
      if (method !== "PATCH" || !path.includes("/pods/")) return;
      found.lab?.remove("pods", "localizer-cart-0a1b2c3d");
      found.lab?.pod("localizer-cart-0a1b2c3d");
    },
  });
  const { session } = await exposedCart(lab);
  found.lab = lab;
  await end(lab, session).ended;
  assert.deepEqual([lab.names("pods"), lab.names(leases)], [["localizer-cart-0a1b2c3d"], []]);
});

test("endSession() of which nothing but a mark is left says that it cannot tell what the 0 was for", async () => {
  await using lab = await ExposeLab.open();
  const { replicas, ...owner } = lab.deployment("cart", 0, held(sessions.alice));
  const { ended, told } = end(lab, { session: sessions.alice, namespace: "shop", key: undefined, owners: [owner] });
  await ended;
  assert.deepEqual(told(), [
    'info scale-back: Deployment "shop/cart" is set to 3 again',
    'warn scale-back: Deployment "shop/cart" was at 0 with marks of an exposure of which nothing else is left; set it to 0 again if it was meant to be',
  ]);
});

test("endSession() keeps all records when nothing says what an owner was set to", async () => {
  await using lab = await ExposeLab.open();
  const { session, owner } = await exposedCart(lab);
  lab.patch(deployments, "cart", { metadata: { annotations: { [annotations.replicas]: null } as object } });
  const { replicas, ...unknown } = owner;
  await assert.rejects(end(lab, { ...session, owners: [unknown] }).ended, (error) => codeOf(error) === "conflict");
  assert.deepEqual([lab.owner(owner).replicas, lab.names(leases)], [0, [lease]]);
});

test("endSession() takes its marks off the ReplicaSets, but does not fail when that fails", async () => {
  for (const fault of ["forbidden", "failure", undefined] as const) {
    await using lab = await ExposeLab.open();
    const { session, owner } = await exposedCart(lab);
    const set = lab.add("replicasets.apps", "cart-1", { annotations: held(sessions.alice), spec: { replicas: 0 } });
    const ownerReferences = [
      { apiVersion: "apps/v1", kind: "Deployment", name: "cart", uid: owner.uid, controller: true },
    ];
    lab.patch("replicasets.apps", set.metadata.name, { metadata: { ownerReferences } });
    if (fault === "failure") lab.fail(calling("patch", "replicasets"), { kind: fault, code: 500 });
    if (fault === "forbidden") lab.fail(calling("patch", "replicasets"), { kind: fault });
    const { ended, told } = end(lab, session);
    await ended;
    const left = lab.find("replicasets.apps", "cart-1")?.metadata.annotations ?? {};
    assert.deepEqual(left, fault === undefined ? {} : held(sessions.alice));
    assert.equal(
      told().some((line) => line.includes("keep annotations")),
      fault === "failure",
    );
    assert.deepEqual(lab.names(leases), []);
  }
});
