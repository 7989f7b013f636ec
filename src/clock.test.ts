import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { type TestContext, test } from "node:test";
import { FakeClock } from "../test/support/fake-clock.ts";
import { systemClock, unlessAborted, withTimeout } from "./clock.ts";
import { LocalizerError } from "./errors.ts";

const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

/** Timers that the test moves by `tick`. */
function fakeTimers(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  return t.mock.timers;
}

/** Rejects when the signal fires, as everything that waits does. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(LocalizerError.from(signal.reason, "aborted")), { once: true });
  });
}

test("systemClock.sleep() resolves after its time and leaves no listener", async (t) => {
  const timers = fakeTimers(t);
  const { signal } = new AbortController();
  let awake = false;
  const sleep = systemClock.sleep(100, signal).then(() => {
    awake = true;
  });
  timers.tick(99);
  await Promise.resolve();
  assert.equal(awake, false);
  timers.tick(1);
  await sleep;
  assert.equal(listeners(signal), 0);
});

test("systemClock.sleep() ends as soon as the signal fires", async (t) => {
  fakeTimers(t);
  const controller = new AbortController();
  const sleep = systemClock.sleep(100, controller.signal);
  controller.abort("enough");
  await assert.rejects(sleep, { code: "aborted", cause: "enough" });
});

test("systemClock.sleep() does not begin when the signal has fired", async () => {
  await assert.rejects(systemClock.sleep(100_000, AbortSignal.abort()), { code: "aborted" });
});

test("systemClock.after() calls once, and not at all when disposed before", (t) => {
  const timers = t.mock.timers;
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const calls: string[] = [];
  systemClock.after(10, () => calls.push("kept"));
  const dropped = systemClock.after(10, () => calls.push("dropped"));
  dropped[Symbol.dispose]();
  timers.tick(30);
  assert.deepEqual(calls, ["kept"]);
});

test("withTimeout() gives the work's answer and leaves no timer", async () => {
  const clock = new FakeClock();
  const answer = await withTimeout(clock, { action: "Cannot ask", timeoutMs: 50 }, async () => 42);
  assert.equal(answer, 42);
  assert.equal(clock.pending, 0);
});

test("withTimeout() fires the work's signal when the time is up and throws timeout with the action", async () => {
  const clock = new FakeClock();
  const work = withTimeout(clock, { action: "Cannot ask", timeoutMs: 50 }, untilAborted);
  const failure = assert.rejects(work, { code: "timeout", message: "Cannot ask: no answer within 50 ms" });
  await clock.advance(50);
  await failure;
});

test("withTimeout() throws the work's own error when that came first", async () => {
  const clock = new FakeClock();
  const error = new LocalizerError("refused", "Nobody there");
  const work = withTimeout(clock, { action: "Cannot ask", timeoutMs: 50 }, () => Promise.reject(error));
  await assert.rejects(work, error);
  assert.equal(clock.pending, 0);
});

test("withTimeout() fires the work's signal with the caller's and is no timeout then", async () => {
  const clock = new FakeClock();
  const caller = new AbortController();
  const options = { action: "Cannot ask", timeoutMs: 50, signal: caller.signal };
  const failure = assert.rejects(withTimeout(clock, options, untilAborted), { code: "aborted" });
  caller.abort();
  await failure;
  assert.equal(clock.pending, 0);
});

test("withTimeout() does not begin when the caller's signal has fired", async () => {
  const options = { action: "Cannot ask", timeoutMs: 50, signal: AbortSignal.abort() };
  const work = () => assert.fail("it ran");
  await assert.rejects(withTimeout(new FakeClock(), options, work), { code: "aborted" });
});

test("systemClock waits no longer than a timer can, instead of not at all", (t) => {
  const waits: number[] = [];
  t.mock.method(globalThis, "setTimeout", (_run: () => void, ms: number) => {
    waits.push(ms);
    return { unref: () => {} };
  });
  void systemClock.sleep(2 ** 31);
  systemClock.after(Number.POSITIVE_INFINITY, () => {});
  assert.deepEqual(waits, [2 ** 31 - 1, 2 ** 31 - 1]);
});

test("unlessAborted() gives what the promise gives or throws, and leaves no listener", async () => {
  const { signal } = new AbortController();
  assert.equal(await unlessAborted(Promise.resolve(7), signal), 7);
  const failure = new LocalizerError("gone", "It is gone");
  await assert.rejects(unlessAborted(Promise.reject(failure), signal), failure);
  assert.equal(listeners(signal), 0);
});

test("unlessAborted() throws as soon as the signal fires, or has", async () => {
  const stop = new AbortController();
  const waiting = assert.rejects(unlessAborted(new Promise(() => {}), stop.signal), { code: "aborted" });
  stop.abort();
  await waiting;
  await assert.rejects(unlessAborted(Promise.resolve(), stop.signal), { code: "aborted" });
});
