import assert from "node:assert/strict";
import { test } from "node:test";
import { DelayLine } from "./delay-line.ts";

/** A clock that stands until it is moved; timers fire in the order of their time. */
function handClock() {
  let nowMs = 0;
  const timers: { readonly atMs: number; readonly act: () => void }[] = [];
  return {
    now: () => nowMs,
    after: (ms: number, act: () => void) => void timers.push({ atMs: nowMs + ms, act }),
    advance(ms: number) {
      const end = nowMs + ms;
      for (;;) {
        const next = timers.filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
        if (next === undefined) break;
        timers.splice(timers.indexOf(next), 1);
        nowMs = Math.max(nowMs, next.atMs);
        next.act();
      }
      nowMs = end;
    },
  };
}

test("DelayLine delivers each item its delay after it was pushed, and not later for what is before it", () => {
  const clock = handClock();
  const arrived: [string, number][] = [];
  const line = new DelayLine<string>(clock, 10, (item) => arrived.push([item, clock.now()]));
  line.push("a");
  line.push("b");
  clock.advance(4);
  line.push("c");
  clock.advance(5);
  assert.deepEqual(arrived, []);
  clock.advance(11);
  assert.deepEqual(arrived, [
    ["a", 10],
    ["b", 10],
    ["c", 14],
  ]);
});

test("DelayLine lets nothing set out while it is held", () => {
  const clock = handClock();
  const arrived: number[] = [];
  const line = new DelayLine<string>(clock, 10, () => arrived.push(clock.now()));
  line.holdFor(20);
  line.push("early");
  clock.advance(25);
  line.push("late");
  clock.advance(25);
  assert.deepEqual(arrived, [30, 35]);
});

test("DelayLine takes what is pushed while it delivers", () => {
  const clock = handClock();
  const arrived: number[] = [];
  const line = new DelayLine<number>(clock, 10, (count) => {
    arrived.push(clock.now());
    if (count > 0) line.push(count - 1);
  });
  line.push(2);
  clock.advance(100);
  assert.deepEqual(arrived, [10, 20, 30]);
});
