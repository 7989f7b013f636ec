import assert from "node:assert/strict";
import { test } from "node:test";
import { keptLines } from "../../test/support/expose-lab.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { lastLocalAnswers } from "./last-local-answers.ts";

/** Two ports with connections that are not answered. */
function setUp(...unanswered: readonly number[]) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const { report, lines } = keptLines();
  const sides = unanswered.map((count) => ({ unanswered: count }));
  const done = lastLocalAnswers(clock, sides, { signal: stop.signal, report });
  const told = () => lines.map(({ level, step, message }) => `${level} ${step}: ${message}`);
  return { clock, stop, sides, done, told };
}

test("lastLocalAnswers() says and waits nothing when all is answered", async () => {
  const { done, told } = setUp(0, 0);
  await done;
  assert.deepEqual(told(), []);
});

test("lastLocalAnswers() waits for the last answer of all ports", async () => {
  const { clock, sides, done, told } = setUp(1, 1);
  for (const side of sides) {
    await clock.advance(500);
    side.unanswered = 0;
  }
  await clock.advance(50 + 200);
  await done;
  assert.deepEqual(told(), ["info clean-up: The local process has 3 s to answer on 2 connections"]);
  assert.equal(clock.pending, 0);
});

test("lastLocalAnswers() is over after 3 s, and says what was not answered", async () => {
  const { clock, done, told } = setUp(0, 1);
  await clock.advance(3_000);
  await done;
  assert.deepEqual(told(), [
    "info clean-up: The local process has 3 s to answer on one connection",
    "warn clean-up: Cut off: one connection on which the caller spoke last",
  ]);
});

test("lastLocalAnswers() ends with the signal", async () => {
  const { clock, stop, done } = setUp(1);
  await clock.advance(100);
  stop.abort();
  await assert.rejects(done, { code: "aborted" });
  assert.equal(clock.pending, 0);
});
