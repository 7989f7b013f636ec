import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { Retries } from "./retries.ts";

test("Retries try ever more seldom, from seconds to minutes, until it is done", async () => {
  const clock = new FakeClock();
  await using retries = new Retries({ clock, random: () => 1 });
  const began = clock.monotonic();
  const at: number[] = [];
  retries.start("a", async () => {
    at.push((clock.monotonic() - began) / 1_000);
    return at.length === 9;
  });
  await clock.advance(3_600_000);
  assert.deepEqual(at, [2, 6, 14, 30, 62, 126, 254, 434, 614]);
  assert.equal(clock.pending, 0);
});

test("Retries begin at once where nothing was tried yet", async () => {
  const clock = new FakeClock();
  await using retries = new Retries({ clock, random: () => 1 });
  let runs = 0;
  retries.start("a", async () => ++runs === 2, { atOnce: true });
  assert.equal(runs, 1);
  await clock.asleep();
  await clock.advance(2_000);
  assert.deepEqual([runs, clock.pending], [2, 0]);
});

test("Retries try one thing once at a time, and begin anew when it was done", async () => {
  const clock = new FakeClock();
  await using retries = new Retries({ clock, random: () => 1 });
  let runs = 0;
  const run = async () => ++runs > 0;
  retries.start("a", run);
  retries.start("a", run);
  await clock.advance(10_000);
  assert.equal(runs, 1);
  retries.start("a", run);
  await clock.advance(10_000);
  assert.equal(runs, 2);
});

test("Retries that are disposed end what is under way, wait for that, and begin nothing more", async () => {
  const clock = new FakeClock();
  const retries = new Retries({ clock, random: () => 1 });
  let isOver = false;
  retries.start("running", async (signal) => {
    await clock.sleep(60_000, signal).catch(() => {});
    isOver = true;
    return false;
  });
  await clock.advance(2_000);
  retries.start("waiting", async () => assert.fail("it waited when all ended"));
  await retries[Symbol.asyncDispose]();
  retries.start("late", async () => assert.fail("all has ended"));
  assert.deepEqual([isOver, clock.pending], [true, 0]);
});
