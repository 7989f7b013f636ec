import assert from "node:assert/strict";
import { test } from "node:test";
import { servedStats } from "../../test/rpc/fake-stats.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import type { Clock } from "../clock.ts";
import type { ServiceStats } from "../rpc/service-stats.ts";
import { watchStats } from "./watch-stats.ts";

const cart = servedStats("shop", "cart", { connections: 1 });
const web = servedStats("shop", "web");

/** A watch over figures that the test sets. */
function watching(intervalMs: number, figures: readonly ServiceStats[]) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const state = { now: figures, looks: 0 };
  const stats = () => {
    state.looks++;
    return state.now;
  };
  return { clock, stop, state, changes: watchStats(stats, { intervalMs, clock, signal: stop.signal }) };
}

test("watchStats() tells everything at once, then what has changed, and what is no more", async () => {
  const { clock, state, changes } = watching(0, [cart, web]);
  assert.deepEqual((await changes.next()).value, { services: [cart, web], removed: [] });
  const busier = servedStats("shop", "cart", { connections: 2 });
  state.now = [busier, structuredClone(web)];
  const second = changes.next();
  assert.equal(await clock.asleep(), 1_000);
  await clock.advance(1_000);
  assert.deepEqual((await second).value, { services: [busier], removed: [] });
  state.now = [busier];
  const third = changes.next();
  await clock.advance(1_000);
  assert.deepEqual((await third).value, { services: [], removed: [{ namespace: "shop", name: "web" }] });
});

test("watchStats() tells at first also that there is nothing, and later nothing while nothing changes", async () => {
  const { clock, state, changes } = watching(250, []);
  assert.deepEqual((await changes.next()).value, { services: [], removed: [] });
  let isTold = false;
  const next = changes.next().then(({ value }) => {
    isTold = true;
    return value;
  });
  for (let looks = 0; looks < 4; looks++) {
    assert.equal(await clock.asleep(), 250);
    await clock.advance(250);
  }
  assert.equal(isTold, false);
  state.now = [cart];
  await clock.advance(250);
  assert.deepEqual(await next, { services: [cart], removed: [] });
});

test("watchStats() looks every 100 ms at most", async () => {
  const { clock, changes } = watching(1, [cart]);
  await changes.next();
  void changes.next();
  assert.equal(await clock.asleep(), 100);
});

test("watchStats() rests 20 times as long as a look took", async () => {
  const clock = new FakeClock();
  let tookMs = 0;
  const slow: Clock = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic() + tookMs,
    sleep: (ms, signal) => clock.sleep(ms, signal),
    after: (ms, run) => clock.after(ms, run),
  };
  const stats = () => {
    tookMs += 37;
    return [cart];
  };
  const { signal } = new AbortController();
  const changes = watchStats(stats, { intervalMs: 100, clock: slow, signal });
  await changes.next();
  void changes.next();
  assert.equal(await clock.asleep(), 740);
});

test("watchStats() does nothing for a reader who is slow: he gets one change with the newest figures", async () => {
  const { clock, state, changes } = watching(100, [cart]);
  await changes.next();
  for (const connections of [2, 3, 4]) {
    state.now = [servedStats("shop", "cart", { connections })];
    await clock.advance(100);
  }
  assert.deepEqual([state.looks, clock.pending], [1, 0]);
  const next = changes.next();
  await clock.advance(100);
  assert.equal((await next).value?.services[0]?.ports[0]?.connections, 4);
});

test("watchStats() ends when the signal fires, with no timer left, and never begins when it has fired", async () => {
  const { clock, stop, state, changes } = watching(0, [cart]);
  await changes.next();
  const next = changes.next();
  await clock.asleep();
  stop.abort();
  assert.deepEqual(await next, { value: undefined, done: true });
  assert.deepEqual([clock.pending, state.looks], [0, 1]);
  const late = watching(0, [cart]);
  late.stop.abort();
  assert.equal((await late.changes.next()).done, true);
  assert.equal(late.state.looks, 0);
});
