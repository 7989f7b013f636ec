import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { ExposeLab, exampleRecord, finished, keptLines, sessions } from "../../test/support/expose-lab.ts";
import { lateLeaseEnd } from "../../test/support/late-lease-end.ts";
import { aborted } from "../clock.ts";
import { codeOf } from "../errors.ts";
import { serviceKey } from "../model/service-key.ts";
import { newClaim, whileClaimed } from "./claim.ts";
import { restoreForgotten } from "./forgotten.ts";
import { isAlive } from "./is-alive.ts";
import { annotations } from "./records.ts";
import { leaseRef, parseLease, renewLease, seeLease, takeLease } from "./session-lease.ts";

const name = "localizer-cart";
const leases = "leases.coordination.k8s.io";
const { signal } = new AbortController();
const bob = { id: "b0b", holder: "bob@desk" };
const carol = { id: "ca401", holder: "carol@desk" };

async function silent(lab: ExposeLab) {
  return await takeLease(lab.components, exampleRecord(), { durationMs: 60_000 });
}

test("whileClaimed() writes who puts back into the Lease, which is still of that session", async () => {
  await using lab = await ExposeLab.open();
  const lease = await silent(lab);
  const isDone = await whileClaimed(lab.components, { lease, by: bob }, signal, async () => {
    const now = await seeLease(lab.objects, leaseRef(exampleRecord().key));
    assert.deepEqual([now?.session, now?.claim, now?.holder], [sessions.alice, "b0b", "bob@desk"]);
    assert.deepEqual(now?.record, exampleRecord());
  });
  assert.equal(isDone, true);
});

test("a session that wakes up while it is put back hears that it was taken over, and renews nothing", async () => {
  await using lab = await ExposeLab.open();
  const lease = await silent(lab);
  await whileClaimed(lab.components, { lease, by: bob }, signal, async () => {
    const before = lab.find(leases, name)?.metadata.resourceVersion;
    await assert.rejects(renewLease(lab.components, lease), {
      code: "conflict",
      message: "The exposure was taken over by bob@desk",
    });
    assert.equal(lab.find(leases, name)?.metadata.resourceVersion, before);
  });
});

test("whileClaimed() leaves a session alone that has given a sign of life since it was seen", async () => {
  await using lab = await ExposeLab.open();
  const lease = await silent(lab);
  await lab.clock.advance(1_000);
  await renewLease(lab.components, lease);
  const run = () => assert.fail("it ran");
  assert.equal(await whileClaimed(lab.components, { lease, by: bob }, signal, run), false);
});

test("whileClaimed() lets one of two who would put back do it", async () => {
  await using lab = await ExposeLab.open();
  const lease = await silent(lab);
  const ran: string[] = [];
  const each = [bob, carol].map((by) =>
    whileClaimed(lab.components, { lease, by }, signal, async () => {
      ran.push(by.id);
    }),
  );
  assert.deepEqual((await Promise.all(each)).sort(), [false, true]);
  assert.equal(ran.length, 1);
});

test("whileClaimed() knows its own claim after an answer that was lost, and puts back what has no Lease any more", async () => {
  await using lab = await ExposeLab.open();
  const lease = await silent(lab);
  const twice = { lease, by: bob };
  assert.equal(await whileClaimed(lab.components, twice, signal, async () => {}), true);
  assert.equal(await whileClaimed(lab.components, twice, signal, async () => {}), true);
  lab.remove(leases, name);
  assert.equal(await whileClaimed(lab.components, twice, signal, async () => {}), true);
});

test("whileClaimed() gives signs of life, and ends when somebody else has claimed the Lease", async () => {
  await using lab = await ExposeLab.open();
  const lease = await silent(lab);
  const work = whileClaimed(lab.components, { lease, by: bob }, signal, async (limited) => {
    const before = lab.find(leases, name)?.metadata.resourceVersion;
    while (lab.find(leases, name)?.metadata.resourceVersion === before) await turn();
    const holderIdentity = `restore:${carol.id}:${carol.holder}/${sessions.alice}`;
    lab.patch(leases, name, { spec: { holderIdentity } });
    await aborted(limited);
    throw limited.reason;
  });
  let isOver = false;
  const over = work.finally(() => {
    isOver = true;
  });
  over.catch(() => {});
  while (!isOver) {
    await lab.clock.advance(500);
    for (let index = 0; index < 20; index++) await turn();
  }
  await assert.rejects(over, (error) => {
    assert.equal(codeOf(error), "conflict");
    assert.match(String(error), /taken over by carol@desk/);
    return true;
  });
});

test("who dies while he puts back falls silent, and another restore ends the session", async () => {
  await using lab = await ExposeLab.open();
  const mark = { [annotations.session]: sessions.alice, [annotations.replicas]: "3" };
  const owner = lab.deployment("web", 0, mark);
  const lease = await silent(lab);
  await whileClaimed(lab.components, { lease, by: newClaim("bob@desk") }, signal, async () => {});
  const { report } = keptLines();
  const restored = restoreForgotten(lab.components, {}, { signal, report, waitMs: 0 });
  assert.equal((await finished(lab.clock, restored)).restored, 1);
  assert.deepEqual([lab.owner(owner).replicas, lab.names(leases)], [3, []]);
});

test("restoreForgotten() has ended a session though the answer of the server to the end of its Lease takes a minute", async () => {
  await using lab = await ExposeLab.open();
  await silent(lab);
  const { report } = keptLines();
  const restored = restoreForgotten(lateLeaseEnd(lab), {}, { signal, report, waitMs: 0 });
  assert.deepEqual(await finished(lab.clock, restored), { restored: 1, alive: [], failures: [] });
});

test("restoreForgotten() tells of a session that it has ended while it watches another", async () => {
  await using lab = await ExposeLab.open();
  await takeLease(lab.components, exampleRecord(), { durationMs: 4_000 });
  const admin = { session: sessions.bob, key: serviceKey("shop", "admin") };
  await takeLease(lab.components, exampleRecord(admin), { durationMs: 600_000 });
  const { report, lines } = keptLines();
  const stop = new AbortController();
  const restored = restoreForgotten(lab.components, {}, { signal: stop.signal, report, waitMs: 0 });
  while (!lines.some(({ step }) => step === "ended")) {
    await lab.clock.advance(100);
    await turn();
  }
  assert.equal(lines.at(-1)?.message, '"shop/cart" is not exposed by alice@laptop any more');
  assert.ok(lab.clock.monotonic() < 1_600_000);
  stop.abort();
  assert.equal((await restored).restored, 1);
});

test("a claimed Lease promises a minute at most, whatever it said before", async () => {
  await using lab = await ExposeLab.open();
  await silent(lab);
  lab.patch(leases, name, { spec: { leaseDurationSeconds: 2 ** 31 - 1 } });
  const lease = await seeLease(lab.objects, leaseRef(exampleRecord().key));
  assert.ok(lease !== undefined);
  assert.equal(await finished(lab.clock, isAlive(lab.components, lease, signal)), false);
  await whileClaimed(lab.components, { lease, by: bob }, signal, async () => {});
  assert.equal((await seeLease(lab.objects, lease.ref))?.durationMs, 60_000);
});

test("parseLease() believes no promise of more than 10 minutes, and none of no time at all", () => {
  const holderIdentity = `alice@laptop/${sessions.alice}`;
  for (const [seconds, ms] of [
    [2 ** 31 - 1, 600_000],
    [600, 600_000],
    [599, 599_000],
    [0, 60_000],
    [-1, 60_000],
  ]) {
    const lease = parseLease({ metadata: { name }, spec: { holderIdentity, leaseDurationSeconds: seconds } });
    assert.equal(lease?.durationMs, ms);
  }
});

test("parseLease() is undefined for a Lease that names no session", () => {
  for (const holderIdentity of [undefined, "", "node-1", "a/b", `${sessions.alice}/x`]) {
    assert.equal(parseLease({ metadata: { name }, spec: { holderIdentity } }), undefined);
  }
});

test("takeLease() never promises less than a second, the least that a Lease can say", async () => {
  await using lab = await ExposeLab.open();
  const lease = await takeLease(lab.components, exampleRecord(), { durationMs: 200 });
  assert.equal(lease.durationMs, 1_000);
});
