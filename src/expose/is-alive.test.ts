import assert from "node:assert/strict";
import { test } from "node:test";
import { ExposeLab, exampleRecord, finished, sessions } from "../../test/support/expose-lab.ts";
import { isAlive } from "./is-alive.ts";
import { takeLease } from "./session-lease.ts";

const leases = "leases.coordination.k8s.io";
const name = "localizer-cart";
const { signal } = new AbortController();
const bob = exampleRecord({ session: sessions.bob, holder: "bob@desk" });

function taken(lab: ExposeLab, record = exampleRecord()) {
  return takeLease(lab.components, record, { durationMs: 60_000 });
}

/** Somebody else takes the Lease of that name away and makes one of his own. */
async function takenOver(lab: ExposeLab) {
  lab.remove(leases, name);
  return await taken(lab, bob);
}

test("isAlive() is true as soon as the Lease changes, whatever its times say", async () => {
  await using lab = await ExposeLab.open();
  const lease = await taken(lab);
  const judged = isAlive(lab.components, lease, signal);
  for (const at of [2_000, 4_000]) {
    await lab.clock.asleep();
    await lab.clock.advance(2_000);
    assert.equal(lab.clock.monotonic(), 1_000_000 + at);
  }
  await lab.clock.asleep();
  lab.patch(leases, name, { spec: { renewTime: "1999-01-01T00:00:00.000000Z" } });
  await lab.clock.advance(2_000);
  assert.equal(await judged, true);
});

test("isAlive() is false once the Lease has not changed for as long as it promised, and no sooner", async () => {
  await using lab = await ExposeLab.open();
  const lease = await takeLease(lab.components, exampleRecord(), { durationMs: 5_000 });
  // By the holder's clock that was long ago; by ours it has to be watched all the same.
  lab.clock.sleepOver(3_600_000);
  let isOver = false;
  const judged = isAlive(lab.components, lease, signal).finally(() => {
    isOver = true;
  });
  for (const ms of [2_000, 2_000, 1_000]) {
    assert.equal(isOver, false);
    assert.equal(await lab.clock.asleep(), ms);
    await lab.clock.advance(ms);
  }
  assert.equal(await judged, false);
});

test("isAlive() is false when the Lease is deleted, or made anew", async () => {
  await using lab = await ExposeLab.open();
  const lease = await taken(lab);
  for (const change of [takenOver, async () => lab.remove(leases, name)]) {
    const judged = isAlive(lab.components, lease, signal);
    await lab.clock.asleep();
    await change(lab);
    await lab.clock.advance(2_000);
    assert.equal(await judged, false);
  }
});

test("isAlive() ends with its signal", async () => {
  await using lab = await ExposeLab.open();
  const stop = new AbortController();
  const judged = isAlive(lab.components, await taken(lab), stop.signal);
  await lab.clock.asleep();
  stop.abort();
  await assert.rejects(judged, { code: "aborted" });
  assert.equal(lab.clock.pending, 0);
});

for (const lives of [true, false]) {
  const what = lives ? "alive" : "silent";
  test(`isAlive() that stood still looks once more, and finds the holder ${what} who stood still with it`, async () => {
    await using lab = await ExposeLab.open();
    const lease = await takeLease(lab.components, exampleRecord(), { durationMs: 5_000 });
    let isOver = false;
    const judged = isAlive(lab.components, lease, signal).finally(() => {
      isOver = true;
    });
    await lab.clock.asleep();
    await lab.clock.advance(600_000);
    assert.equal(await lab.clock.asleep(), 2_000);
    await lab.clock.advance(2_000);
    // What was promised has passed, most of it while nobody looked.
    assert.equal(await lab.clock.asleep(), 2_000);
    assert.equal(isOver, false);
    if (lives) lab.patch(leases, name, { spec: { renewTime: "1999-01-01T00:00:00.000000Z" } });
    await lab.clock.advance(2_000);
    assert.equal(await judged, lives);
  });
}

test("isAlive() comes to an end where every answer takes longer than a look apart", async () => {
  const found: { lab?: ExposeLab } = {};
  const stop = new AbortController();
  let looks = 0;
  await using lab = await ExposeLab.open({
    onRequest({ method, path }) {
      if (method !== "GET" || !path.endsWith(name)) return;
      void found.lab?.clock.advance(3_000);
      if (++looks > 100) stop.abort();
    },
  });
  found.lab = lab;
  assert.equal(await finished(lab.clock, isAlive(lab.components, await taken(lab), stop.signal)), false);
  // Not before its time either.
  assert.ok(lab.clock.monotonic() - 1_000_000 >= 60_000);
});
