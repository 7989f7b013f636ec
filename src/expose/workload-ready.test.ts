import assert from "node:assert/strict";
import { test } from "node:test";
import { calling, ExposeLab, finished, keptLines, sessions } from "../../test/support/expose-lab.ts";
import { end, exposedCart, followSlices, held } from "../../test/support/exposed-cart.ts";
import { endSession } from "./endings.ts";
import { annotations } from "./records.ts";

const leases = "leases.coordination.k8s.io";
const waiting = 'info workload: Waiting for a pod of "shop/cart" to be ready';

test("endSession() keeps the pod in the Service until one of the workload is ready", async () => {
  await using lab = await ExposeLab.open();
  const { session, pod } = await exposedCart(lab);
  const { report, lines } = keptLines();
  const { signal } = new AbortController();
  const ended = endSession(lab.components, session, { signal, report, waitMs: 60_000 });
  await lab.clock.asleep();
  await lab.clock.advance(250);
  await lab.clock.asleep();
  assert.deepEqual(lab.writes, ["PATCH deployments/cart"]);
  const own = lab.pod("cart-x");
  lab.slice([{ pod }, { pod: own }]);
  await lab.clock.advance(250);
  using _slices = followSlices(lab);
  await finished(lab.clock, ended);
  assert.deepEqual(lab.names("pods"), ["cart-x"]);
  assert.deepEqual(
    lines.filter(({ step }) => step === "workload").map(({ message }) => message),
    ['Waiting for a pod of "shop/cart" to be ready', 'A pod of "shop/cart" is ready'],
  );
});

test("endSession() ends without the workload when that does not become ready in time, and says so", async () => {
  await using lab = await ExposeLab.open();
  const { session } = await exposedCart(lab);
  using _slices = followSlices(lab);
  const { ended, told } = end(lab, session, { waitMs: 10_000 });
  await ended;
  const sentence = 'No pod of "shop/cart" became ready within 10 s; the exposure ends all the same';
  assert.ok(told().includes(`warn workload: ${sentence}`));
  assert.deepEqual(lab.names(leases), []);
});

test("endSession() waits for the workload though the answer of scaling back was lost", async () => {
  await using lab = await ExposeLab.open();
  const { session } = await exposedCart(lab);
  lab.fail(calling("patch", "deployments"), { kind: "lost-answer" });
  const { ended, told } = end(lab, session, { waitMs: 10_000 });
  await ended;
  assert.deepEqual(told().slice(1, 3), ['info scale-back: Deployment "shop/cart" is at 3 again', waiting]);
});

for (const [what, replicas, marks] of [
  ["an earlier stop has set back", 3, {}],
  ["somebody has set to another number", 5, held(sessions.alice)],
] as const) {
  test(`endSession() waits for a workload that ${what}, as long as its pod alone answers`, async () => {
    await using lab = await ExposeLab.open();
    const { session, pod } = await exposedCart(lab);
    const none = { [annotations.session]: null, [annotations.replicas]: null, [annotations.holder]: null };
    const metadata = { annotations: { ...none, ...marks } as object };
    lab.patch("deployments.apps", "cart", { metadata, spec: { replicas } });
    const own = lab.pod("cart-x");
    lab.slice([{ pod }, { pod: own, ready: false }]);
    const { report, lines } = keptLines();
    const { signal } = new AbortController();
    const ended = endSession(lab.components, session, { signal, report, waitMs: 60_000 });
    await lab.clock.asleep();
    assert.ok(lab.names("pods").includes(pod.metadata.name));
    lab.slice([{ pod: own }]);
    await finished(lab.clock, ended);
    assert.equal(lines.filter(({ step }) => step === "workload").length, 2);
  });
}

test("endSession() does not wait, nor speak of it, when others answer already or its own pod does not", async () => {
  for (const [own, other] of [
    [true, true],
    [false, false],
  ] as const) {
    await using lab = await ExposeLab.open();
    const { session, pod } = await exposedCart(lab);
    lab.patch("deployments.apps", "cart", { spec: { replicas: 5 } });
    lab.slice([
      { pod, ready: own },
      { pod: lab.pod("cart-x"), ready: other },
    ]);
    using _slices = followSlices(lab);
    const { ended, told } = end(lab, session, { waitMs: 10_000 });
    await ended;
    assert.ok(!told().includes(waiting));
  }
});

test("endSession() waits for no pod of an owner that was at 0 before", async () => {
  await using lab = await ExposeLab.open();
  const { session } = await exposedCart(lab);
  lab.patch("deployments.apps", "cart", { metadata: { annotations: { [annotations.replicas]: "0" } } });
  using _slices = followSlices(lab);
  const began = lab.clock.monotonic();
  const { ended, told } = end(lab, session, { waitMs: 300_000 });
  await ended;
  assert.equal(lab.clock.monotonic(), began);
  assert.equal(told()[0], 'info scale-back: Deployment "shop/cart" stays at 0, as it was before');
});

test("endSession() waits for no pod of a Service that is deleted, before or meanwhile", async () => {
  await using lab = await ExposeLab.open();
  const { session } = await exposedCart(lab);
  const { report } = keptLines();
  const { signal } = new AbortController();
  const ended = endSession(lab.components, session, { signal, report, waitMs: 300_000 });
  await lab.clock.asleep();
  lab.remove("services", "cart");
  await lab.clock.advance(250);
  await ended;
  assert.deepEqual(lab.names(leases), []);

  await using second = await ExposeLab.open();
  const other = await exposedCart(second);
  second.remove("services", "cart");
  const began = second.clock.monotonic();
  await end(second, other.session, { waitMs: 300_000 }).ended;
  assert.equal(second.clock.monotonic(), began);
});

for (const [what, together, number, isWaitedFor] of [
  ["is waited for when all of them end", true, "3", true],
  ["is not waited for when the other one stays", false, "3", false],
  ["is not waited for when it was at 0 before", true, "0", false],
] as const) {
  test(`endSession(): a workload that is left to a session beside ${what}`, async () => {
    await using lab = await ExposeLab.open();
    const { session } = await exposedCart(lab);
    const metadata = { annotations: { ...held(sessions.bob, sessions.alice), [annotations.replicas]: number } };
    lab.patch("deployments.apps", "cart", { metadata });
    lab.add(leases, "localizer-too", { spec: { holderIdentity: `alice@laptop/${sessions.bob}` } });
    using _slices = followSlices(lab);
    const { report, lines } = keptLines();
    const { signal } = new AbortController();
    const ended = endSession(lab.components, session, { signal, report, waitMs: 9_000, together });
    await finished(lab.clock, ended);
    assert.equal(
      lines.some(({ message }) => waiting.endsWith(message)),
      isWaitedFor,
    );
  });
}
