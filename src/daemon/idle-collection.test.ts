import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { collectAfterStart, collectWhenIdle, v8Memory } from "./idle-collection.ts";

function fakeMemory() {
  const seen = { cpu: 0, collections: 0 };
  const memory = {
    cpuMicroseconds: () => seen.cpu,
    collect() {
      seen.collections++;
      // It costs time itself, which must not count as work.
      seen.cpu += 200_000;
    },
  };
  return { seen, memory };
}

test("collectAfterStart() collects where the start has left much, and nobody is connected", () => {
  let sweeps = 0;
  const memory = (mebibytes: number) => ({ heapBytes: () => mebibytes * 2 ** 20, sweep: () => void sweeps++ });
  collectAfterStart(memory(20), () => true);
  collectAfterStart(memory(60), () => false);
  assert.equal(sweeps, 0);
  collectAfterStart(memory(60), () => true);
  assert.equal(sweeps, 1);
});

test("collectWhenIdle() collects once after the start, and once after each busy stretch", async () => {
  const clock = new FakeClock();
  const { seen, memory } = fakeMemory();
  using _collecting = collectWhenIdle(clock, memory, () => true);
  seen.cpu += 500_000;
  await clock.advance(30_000);
  assert.equal(seen.collections, 0, "busy in the first ten seconds");
  await clock.advance(10_000);
  assert.equal(seen.collections, 1);
  await clock.advance(100_000);
  assert.equal(seen.collections, 1, "nothing has happened since");
  seen.cpu += 101_000;
  await clock.advance(30_000);
  seen.cpu += 50_000;
  assert.equal(seen.collections, 1);
  await clock.advance(10_000);
  assert.equal(seen.collections, 2);
});

test("collectWhenIdle() does not collect between bursts", async () => {
  const clock = new FakeClock();
  const { seen, memory } = fakeMemory();
  using _collecting = collectWhenIdle(clock, memory, () => true);
  for (let burst = 0; burst < 10; burst++) {
    seen.cpu += 500_000;
    await clock.advance(30_000);
  }
  assert.equal(seen.collections, 0);
  await clock.advance(10_000);
  assert.equal(seen.collections, 1);
});

test("collectWhenIdle() waits until no connection is open, however long that takes", async () => {
  const clock = new FakeClock();
  const { seen, memory } = fakeMemory();
  let connections = 1;
  using _collecting = collectWhenIdle(clock, memory, () => connections === 0);
  seen.cpu += 500_000;
  await clock.advance(600_000);
  assert.equal(seen.collections, 0);
  connections = 0;
  await clock.advance(10_000);
  assert.equal(seen.collections, 1);
});

test("collectWhenIdle() ends with its disposal", async () => {
  const clock = new FakeClock();
  const { seen, memory } = fakeMemory();
  collectWhenIdle(clock, memory, () => true)[Symbol.dispose]();
  await clock.advance(100_000);
  assert.equal(seen.collections, 0);
});

for (const way of ["collect", "sweep"] as const) {
  test(`v8Memory() really collects with ${way}(): an object that nobody holds is gone`, async () => {
    const memory = v8Memory();
    const held = new WeakRef(Buffer.alloc(1_000_000).fill(1));
    await new Promise((resolve) => setImmediate(resolve));
    memory[way]();
    assert.equal(held.deref(), undefined);
    assert.ok(memory.heapBytes() > 0);
  });
}
