import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import fc from "fast-check";
import { FakeClock } from "../test/support/fake-clock.ts";
import { WorkQueue } from "./work-queue.ts";

const backoff = { baseMs: 100, factor: 2, capMs: 1_000 };

function queueOf(...keys: string[]): { queue: WorkQueue<string>; clock: FakeClock } {
  const clock = new FakeClock();
  const queue = new WorkQueue<string>(clock, backoff);
  for (const key of keys) queue.add(key);
  return { queue, clock };
}

/** Lets everything run that waits for nothing but promises. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test("WorkQueue gives keys in the order in which they were added", async () => {
  const { queue } = queueOf("a", "b", "c");
  assert.equal(queue.length, 3);
  assert.deepEqual([await queue.get(), await queue.get(), await queue.get()], ["a", "b", "c"]);
});

test("WorkQueue gives a key once that was added many times before its turn", async () => {
  const { queue } = queueOf("a", "b", "a", "a");
  assert.deepEqual([await queue.get(), await queue.get()], ["a", "b"]);
  assert.equal(queue.length, 0);
});

test("WorkQueue gives a key again after done() when it was added while it was processed", async () => {
  const { queue } = queueOf("a");
  await queue.get();
  queue.add("a");
  queue.add("a");
  assert.equal(queue.length, 0);
  queue.done("a");
  assert.equal(queue.length, 1);
  assert.equal(await queue.get(), "a");
  queue.done("a");
  assert.ok(queue.idle);
});

test("WorkQueue.done() changes nothing for a key that nobody holds", async () => {
  const { queue } = queueOf("a");
  queue.done("a");
  queue.done("b");
  assert.equal(queue.length, 1);
});

test("WorkQueue.get() waits for a key, and one key ends one wait", async () => {
  const { queue } = queueOf();
  const got: (string | undefined)[] = [];
  for (let worker = 0; worker < 3; worker++) void queue.get().then((key) => got.push(key));
  await settle();
  assert.deepEqual(got, []);
  queue.add("a");
  await settle();
  assert.deepEqual(got, ["a"]);
});

test("WorkQueue.get() ends with the signal, takes no key and leaves no listener", async () => {
  const { queue } = queueOf();
  const controller = new AbortController();
  const wait = queue.get(controller.signal);
  controller.abort();
  await assert.rejects(wait, { code: "aborted" });
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  queue.add("a");
  await assert.rejects(queue.get(controller.signal), { code: "aborted" });
  assert.equal(queue.length, 1);
});

test("WorkQueue.addAfter() adds the key when its time has come", async () => {
  const { queue, clock } = queueOf();
  queue.addAfter("a", 500);
  await clock.advance(499);
  assert.equal(queue.length, 0);
  assert.ok(queue.idle);
  await clock.advance(1);
  assert.equal(queue.length, 1);
});

test("WorkQueue.addAfter() replaces the earlier timer of the same key", async () => {
  const { queue, clock } = queueOf();
  queue.addAfter("a", 100);
  queue.addAfter("a", 500);
  queue.addAfter("b", 100);
  assert.equal(clock.pending, 2);
  await clock.advance(100);
  assert.equal(await queue.get(), "b");
  assert.equal(queue.length, 0);
  await clock.advance(400);
  assert.equal(await queue.get(), "a");
});

test("WorkQueue.addRateLimited() waits longer each time until the key is forgotten", async () => {
  const { queue, clock } = queueOf();
  // The dice decide between a tenth of the ceiling and the ceiling.
  for (const ceiling of [100, 200, 400, 800, 1_000, 1_000]) {
    queue.addRateLimited("a");
    await clock.advance(ceiling / 10 - 1);
    assert.equal(queue.length, 0);
    await clock.advance(ceiling);
    assert.equal(await queue.get(), "a");
    queue.done("a");
  }
  assert.equal(queue.numRequeues("a"), 6);
  queue.forget("a");
  assert.equal(queue.numRequeues("a"), 0);
  queue.addRateLimited("a");
  await clock.advance(100);
  assert.equal(queue.length, 1);
});

test("WorkQueue.drain() resolves when nothing waits and nothing is processed", async () => {
  const { queue } = queueOf("a", "b");
  let drained = false;
  const drain = queue.drain().then(() => {
    drained = true;
  });
  for (const key of ["a", "b"]) {
    await queue.get();
    await settle();
    assert.equal(drained, false);
    queue.done(key);
  }
  await drain;
  await queue.drain();
});

test("WorkQueue.drain() does not wait for a retry that is due later", async () => {
  const { queue } = queueOf("a");
  await queue.get();
  queue.addRateLimited("a");
  queue.done("a");
  await queue.drain();
});

test("WorkQueue.drain() ends with the signal", async () => {
  const { queue } = queueOf("a");
  const controller = new AbortController();
  const drain = queue.drain(controller.signal);
  controller.abort();
  await assert.rejects(drain, { code: "aborted" });
  await assert.rejects(queue.drain(AbortSignal.abort()), { code: "aborted" });
});

test("WorkQueue[Symbol.dispose]() ends waits and timers and takes nothing more", async () => {
  const { queue, clock } = queueOf("a");
  await queue.get();
  const waits = [queue.get(), queue.get()];
  const drain = queue.drain();
  queue.addAfter("b", 100);
  queue[Symbol.dispose]();
  assert.deepEqual(await Promise.all(waits), [undefined, undefined]);
  await drain;
  assert.equal(clock.pending, 0);
  queue.add("c");
  queue.addAfter("c", 10);
  queue.addRateLimited("c");
  queue.done("a");
  assert.equal(clock.pending, 0);
  assert.equal(await queue.get(), undefined);
  queue[Symbol.dispose]();
});

test("WorkQueue never gives a key to two workers at once and loses no add, in any order of events", async () => {
  const key = fc.constantFrom("a", "b", "c");
  const producers = fc.array(fc.array(key, { maxLength: 8 }), { minLength: 1, maxLength: 4 });
  const workers = fc.integer({ min: 1, max: 4 });
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), producers, workers, async (scheduler, plans, count) => {
      const { queue } = queueOf();
      const added = new Map<string, number>();
      const started = new Map<string, number>();
      const held = new Set<string>();
      let step = 0;
      const produce = async (plan: readonly string[]) => {
        for (const name of plan) {
          await scheduler.schedule(Promise.resolve(), `add ${name}`);
          added.set(name, step++);
          queue.add(name);
        }
      };
      const work = async () => {
        for (let name = await queue.get(); name !== undefined; name = await queue.get()) {
          assert.ok(!held.has(name), `"${name}" is held twice`);
          held.add(name);
          started.set(name, step++);
          await scheduler.schedule(Promise.resolve(), `work ${name}`);
          held.delete(name);
          queue.done(name);
        }
      };
      const working = Promise.all(Array.from({ length: count }, work));
      const drained = Promise.all(plans.map(produce)).then(() => queue.drain());
      await scheduler.waitFor(drained);
      for (const [name, at] of added) {
        assert.ok((started.get(name) ?? -1) > at, `the last add of "${name}" was not worked on`);
      }
      assert.ok(queue.idle);
      queue[Symbol.dispose]();
      await working;
    }),
  );
});
