import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { port } from "../model/port.ts";
import { ReadyPods } from "./ready-pods.ts";

const endpoint = { pod: { namespace: "shop", name: "cart-0", uid: "a" }, port: port(80) };
const never = new AbortController().signal;

test("ReadyPods.changed() is true for all who wait as soon as other pods are set", async () => {
  const clock = new FakeClock();
  const pods = new ReadyPods(clock);
  const waits = [pods.changed(5_000, never), pods.changed(1_000, never)];
  pods.set([endpoint]);
  assert.deepEqual(await Promise.all(waits), [true, true]);
  assert.deepEqual([pods.endpoints, clock.pending], [[endpoint], 0]);
});

test("ReadyPods.changed() is false when the time passes without a change", async () => {
  const clock = new FakeClock();
  const pods = new ReadyPods(clock);
  const wait = pods.changed(1_000, never);
  await clock.advance(1_000);
  assert.equal(await wait, false);
});

test("ReadyPods.changed() ends with the signal and leaves no timer", async () => {
  const clock = new FakeClock();
  const pods = new ReadyPods(clock);
  const stop = new AbortController();
  const wait = pods.changed(1_000, stop.signal);
  stop.abort();
  await assert.rejects(wait, { code: "aborted" });
  await assert.rejects(pods.changed(1_000, stop.signal), { code: "aborted" });
  assert.equal(clock.pending, 0);
});

test("ReadyPods.doubtful holds a pod that took no connection for 5 s, until it takes one or is ready no more", async () => {
  const clock = new FakeClock();
  const pods = new ReadyPods(clock);
  pods.note("a", false);
  assert.equal(pods.doubtful.size, 0, "no ready pod");
  pods.set([endpoint]);
  pods.note("a", false);
  await clock.advance(4_999);
  assert.deepEqual([...pods.doubtful], ["a"]);
  await clock.advance(1);
  assert.equal(pods.doubtful.size, 0);
  pods.note("a", false);
  pods.note("a", true);
  assert.equal(pods.doubtful.size, 0);
  pods.note("a", false);
  pods.set([]);
  pods.set([endpoint]);
  assert.equal(pods.doubtful.size, 0);
});
