import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { Bell } from "./bell.ts";

/** A wait, and whether it is over. */
function waiting(bell: Bell, clock: FakeClock, signal: AbortSignal, ms = 1_000) {
  const state = { isOver: false };
  const over = bell.wait(clock, ms, signal).then(() => {
    state.isOver = true;
  });
  return { state, over };
}

test("Bell.wait() ends when the bell is rung", async () => {
  const [bell, clock, stop] = [new Bell(), new FakeClock(), new AbortController()];
  const { state, over } = waiting(bell, clock, stop.signal);
  await turns(2);
  assert.equal(state.isOver, false);
  bell.ring();
  await over;
  assert.equal(clock.pending, 0);
});

test("Bell.wait() ends when the time is over, and no sooner", async () => {
  const [bell, clock, stop] = [new Bell(), new FakeClock(), new AbortController()];
  const { state, over } = waiting(bell, clock, stop.signal);
  await clock.advance(999);
  assert.equal(state.isOver, false);
  await clock.advance(1);
  await over;
});

test("Bell.wait() ends with its signal, and at once when that has fired", async () => {
  const [bell, clock, stop] = [new Bell(), new FakeClock(), new AbortController()];
  const { over } = waiting(bell, clock, stop.signal);
  stop.abort();
  await over;
  await waiting(bell, clock, stop.signal).over;
  assert.equal(clock.pending, 0);
});

test("Bell remembers one ring, however often it was rung", async () => {
  const [bell, clock, stop] = [new Bell(), new FakeClock(), new AbortController()];
  bell.ring();
  bell.ring();
  await waiting(bell, clock, stop.signal).over;
  const { state, over } = waiting(bell, clock, stop.signal);
  await turns(2);
  assert.equal(state.isOver, false);
  bell.ring();
  await over;
});

test("Bell.wait() leaves no listener with its signal", async () => {
  const [bell, clock, stop] = [new Bell(), new FakeClock(), new AbortController()];
  const { over } = waiting(bell, clock, stop.signal);
  bell.ring();
  await over;
  stop.abort();
  const { state } = waiting(bell, clock, new AbortController().signal);
  await turns(2);
  assert.equal(state.isOver, false);
});
