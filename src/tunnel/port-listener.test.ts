import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { turns, until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import { silentLogger } from "../log.ts";
import { isLoopbackAddress } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import { PortListener } from "./port-listener.ts";

const taken = new LocalizerError("conflict", "Cannot listen on 127.1.2.3:80: the port is taken by another program");

/** A listener whose binds wait for the test, if it says so, and are counted. */
function openable(after?: Promise<void>) {
  const clock = new FakeClock();
  const address = "127.1.2.3";
  assert.ok(isLoopbackAddress(address));
  const at = { address, port: port(80) };
  const counts = { open: 0, most: 0, binds: 0 };
  const bind: { failure: LocalizerError | undefined; wait: Promise<void> | undefined } = {
    failure: undefined,
    wait: undefined,
  };
  const listen = async (signal: AbortSignal) => {
    throwIfAborted(signal);
    counts.binds++;
    await bind.wait;
    if (bind.failure !== undefined) throw bind.failure;
    counts.most = Math.max(counts.most, ++counts.open);
    return {
      at,
      async [Symbol.asyncDispose]() {
        await turns(1);
        counts.open--;
      },
    };
  };
  const listener = new PortListener({ clock, log: silentLogger() }, at, {
    listen,
    after,
    neighbours: { wanted: new Set() },
  });
  return { clock, counts, bind, listener, [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose]() };
}

test("PortListener opens without a pod and closes after 5 s, then opens with the first pod at once", async () => {
  await using made = openable();
  const { listener, clock, counts } = made;
  await listener.setReady(false);
  assert.deepEqual([listener.state, counts.open], ["waiting", 1]);
  await clock.advance(3_000);
  await listener.setReady(false);
  await clock.advance(1_999);
  assert.equal(listener.state, "waiting");
  await clock.advance(1);
  assert.deepEqual([listener.state, listener.at, listener.bindError], ["refusing", undefined, undefined]);
  await until(() => counts.open === 0);
  await listener.setReady(false);
  assert.deepEqual([listener.state, counts.binds, clock.pending], ["refusing", 1, 0]);
  await listener.setReady(true);
  assert.deepEqual([listener.state, listener.at?.port, counts.open], ["listening", 80, 1]);
});

test("PortListener stays open when a pod is ready again within 5 s", async () => {
  await using made = openable();
  const { listener, clock, counts } = made;
  await listener.setReady(true);
  for (let flap = 0; flap < 3; flap++) {
    await listener.setReady(false);
    assert.equal(listener.state, "waiting");
    await clock.advance(4_000);
    await listener.setReady(true);
    assert.deepEqual([listener.state, clock.pending], ["listening", 0]);
  }
  assert.deepEqual([counts.open, counts.binds], [1, 1]);
});

test("PortListener is failed until it could be bound, tried again by whoever asks", async () => {
  await using made = openable();
  const { listener, bind } = made;
  bind.failure = taken;
  await assert.rejects(listener.setReady(true), taken);
  assert.deepEqual([listener.state, listener.at, listener.bindError], ["failed", undefined, taken]);
  bind.failure = undefined;
  await listener.setReady(true);
  assert.deepEqual([listener.state, listener.bindError], ["listening", undefined]);
});

test("PortListener tries by itself every 5 s when it could not be reopened", async () => {
  await using made = openable();
  const { listener, bind, clock, counts } = made;
  await listener.setReady(false);
  await clock.advance(5_000);
  bind.failure = taken;
  await assert.rejects(listener.setReady(true), taken);
  await clock.advance(5_000);
  await until(() => counts.binds === 3 && clock.pending === 1);
  assert.equal(listener.state, "failed");
  bind.failure = undefined;
  await clock.advance(5_000);
  await until(() => listener.state === "listening");
  assert.equal(clock.pending, 0);
});

test("PortListener forgets a failed bind when no pod is ready for 5 s, since it needs no listener then", async () => {
  await using made = openable();
  const { listener, bind, clock } = made;
  bind.failure = taken;
  await assert.rejects(listener.setReady(false), taken);
  assert.equal(listener.state, "failed");
  await clock.advance(5_000);
  await until(() => listener.bindError === undefined);
  assert.deepEqual([listener.state, clock.pending], ["refusing", 0]);
  await listener.setReady(false);
});

test("PortListener binds once though asked again while it opens", async () => {
  await using made = openable();
  const { listener, bind, counts } = made;
  const gate = Promise.withResolvers<void>();
  bind.wait = gate.promise;
  const both = Promise.all([listener.setReady(true), listener.setReady(true)]);
  await until(() => counts.binds === 1);
  gate.resolve();
  await both;
  assert.deepEqual(counts, { open: 1, most: 1, binds: 1 });
});

test("PortListener waits for an earlier listener of the same port", async () => {
  const before = Promise.withResolvers<void>();
  await using made = openable(before.promise);
  const ready = made.listener.setReady(true);
  await turns();
  assert.equal(made.counts.binds, 0);
  before.resolve();
  await ready;
  assert.equal(made.counts.open, 1);
});

test("PortListener leaves nothing when disposed while it opens, and opens no more", async () => {
  const { listener, bind, counts, clock } = openable();
  const gate = Promise.withResolvers<void>();
  bind.wait = gate.promise;
  const ready = listener.setReady(false);
  await until(() => counts.binds === 1);
  const disposed = listener[Symbol.asyncDispose]();
  gate.resolve();
  await Promise.all([ready, disposed]);
  await assert.rejects(listener.setReady(true), { code: "aborted" });
  await listener[Symbol.asyncDispose]();
  assert.deepEqual([counts.open, counts.binds, clock.pending], [0, 1, 0]);
});

test("PortListener shows no failure when the signal ends its opening", async () => {
  await using made = openable();
  await assert.rejects(made.listener.setReady(true, AbortSignal.abort()), { code: "aborted" });
  assert.equal(made.listener.bindError, undefined);
});

test("PortListener never has two listeners and ends as the last word demands, whatever happens", async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("ready" as const), isReady: fc.boolean() }),
    fc.record({ kind: fc.constant("time" as const), ms: fc.constantFrom(1, 2_500, 5_000) }),
    fc.record({ kind: fc.constant("bind" as const), fails: fc.boolean() }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), fc.boolean(), async (steps, isReady) => {
      const { listener, bind, counts, clock } = openable();
      for (const one of steps) {
        if (one.kind === "ready") void listener.setReady(one.isReady).catch(() => {});
        else if (one.kind === "bind") bind.failure = one.fails ? taken : undefined;
        else await clock.advance(one.ms);
      }
      bind.failure = undefined;
      await listener.setReady(isReady);
      await clock.advance(5_000);
      await turns(5);
      assert.deepEqual([listener.state, counts.open], isReady ? ["listening", 1] : ["refusing", 0]);
      await listener[Symbol.asyncDispose]();
      assert.deepEqual([counts.open, clock.pending, counts.most <= 1], [0, 0, true]);
    }),
    { numRuns: 100 },
  );
});
