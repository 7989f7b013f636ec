import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { calling, ExposeLab, exampleRecord, sessions } from "../../test/support/expose-lab.ts";
import { KeeperLab } from "../../test/support/keeper-lab.ts";
import { codeOf } from "../errors.ts";
import { textAt } from "../kube/json.ts";
import { Heartbeat, whileBeating } from "./heartbeat.ts";
import { takeLease } from "./session-lease.ts";

const leases = "leases.coordination.k8s.io";
const name = "localizer-cart";
const renewal = `PATCH leases/${name}`;
const everyMs = 15_000;
const { signal } = new AbortController();

async function beating(lab: ExposeLab) {
  const lease = await takeLease(lab.components, exampleRecord(), { durationMs: 60_000 });
  lab.writes.length = 0;
  return new Heartbeat({ ...lab.components, random: () => 1 }, lease, { everyMs });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

const renewed = (lab: ExposeLab) => textAt(lab.find(leases, name), "spec", "renewTime");

test("a heartbeat renews the Lease again and again, once each time", async () => {
  await using lab = await ExposeLab.open();
  await using heart = await beating(lab);
  for (const count of [1, 2, 3]) {
    const { renewed: before } = heart.lease;
    await lab.clock.advance(everyMs - 1);
    assert.equal(lab.writes.length, count - 1);
    await lab.clock.advance(1);
    await until(() => heart.lease.renewed !== before);
    await turn();
    assert.equal(lab.writes.length, count);
  }
});

test("a heartbeat that fails is tried again soon, and is not lost", async () => {
  await using lab = await ExposeLab.open();
  await using heart = await beating(lab);
  const before = renewed(lab);
  lab.fail(calling("patch", "leases"), { kind: "failure", code: 503 }, 2);
  await lab.clock.advance(everyMs);
  const began = lab.clock.monotonic();
  while (renewed(lab) === before) {
    await lab.clock.advance(10);
    await turn();
  }
  assert.equal(lab.writes.length, 3);
  assert.ok(lab.clock.monotonic() - began < 10_000);
  assert.equal(heart.lost.aborted, false);
});

for (const [what, code, happen] of [
  ["was deleted", "gone", (lab) => lab.remove(leases, name)],
  [
    "is somebody else's",
    "conflict",
    (lab) => lab.patch(leases, name, { spec: { holderIdentity: `bob@desk/${sessions.bob}` } }),
  ],
] satisfies readonly (readonly [string, string, (lab: ExposeLab) => unknown])[]) {
  test(`a heartbeat tells that its Lease ${what}, writes nothing and ends`, async () => {
    await using lab = await ExposeLab.open();
    await using heart = await beating(lab);
    happen(lab);
    await lab.clock.advance(everyMs);
    await until(() => heart.lost.aborted);
    assert.equal(codeOf(heart.lost.reason), code);
    await until(() => lab.clock.pending === 0);
    await assert.rejects(heart.beat({ signal }), { code });
    assert.deepEqual(lab.writes, []);
  });
}

test("beats run one at a time, and one that is not due does nothing", async () => {
  let running = 0;
  let most = 0;
  await using lab = await ExposeLab.open();
  const objects = lab.objects;
  const get = objects.get.bind(objects);
  objects.get = async (...args) => {
    most = Math.max(most, ++running);
    return await get(...args).finally(() => running--);
  };
  await using heart = await beating(lab);
  const record = exampleRecord({ phase: "starting" });
  await Promise.all([heart.beat({ signal }), heart.beat({ signal, record }), heart.beat({ signal, ifDue: true })]);
  assert.deepEqual([most, lab.writes], [1, [renewal, renewal]]);
  assert.deepEqual(heart.lease.record, record);
});

test("a heartbeat that is disposed leaves no timer", async () => {
  await using lab = await ExposeLab.open();
  const heart = await beating(lab);
  await heart[Symbol.asyncDispose]();
  assert.equal(lab.clock.pending, 0);
});

test("whileBeating() begins anew after an end that failed, and ends with the next", async () => {
  await using lab = await ExposeLab.open();
  const holdings: { heartbeat?: Heartbeat } = { heartbeat: await beating(lab) };
  const failed = whileBeating(lab.components, holdings, everyMs, () => Promise.reject(new Error("no")));
  await assert.rejects(failed, { message: "no" });
  assert.equal(holdings.heartbeat?.isOver, true);
  await whileBeating(lab.components, holdings, everyMs, async () => {
    await lab.clock.advance(everyMs);
    await until(() => lab.writes.length === 1);
  });
  assert.equal(holdings.heartbeat?.isOver, true);
});

test("signs of life go on while a pod is made anew", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await keeper.kept();
  const { lab } = keeper;
  const { clock } = lab;
  keeper.podsRun = false;
  lab.remove("pods", "localizer-cart-0a1b2c3d");
  const end = clock.monotonic() + 200_000;
  let [longest, last, seen] = [0, clock.monotonic(), renewed(lab)];
  while (clock.monotonic() < end) {
    for (let index = 0; index < 20; index++) await turn();
    await clock.advance(1_000);
    if (renewed(lab) !== seen) [last, seen] = [clock.monotonic(), renewed(lab)];
    longest = Math.max(longest, clock.monotonic() - last);
  }
  assert.ok(longest < 30_000, String(longest));
});
