import assert from "node:assert/strict";
import { test } from "node:test";
import { type Attempt, firstSuccessAfter, gapSince } from "./steady-echo.ts";

const attempt = (endedMs: number, outcome: Attempt["outcome"] = "answered"): Attempt => ({
  startedMs: endedMs - 5,
  endedMs,
  outcome,
});

test("gapSince() counts failures after the moment, and the gap that began before it", () => {
  const attempts = [
    attempt(0),
    attempt(10, "cut"),
    attempt(90),
    attempt(110, "refused"),
    attempt(130, "cut"),
    attempt(150),
    attempt(170),
    attempt(180, "late"),
  ];
  assert.deepEqual(gapSince(attempts, 100), { refused: 1, cut: 1, late: 1, longestMs: 60 });
});

test("gapSince() has no gap without a success afterwards", () => {
  assert.deepEqual(gapSince([attempt(0), attempt(200, "refused")], 100), {
    refused: 1,
    cut: 0,
    late: 0,
    longestMs: undefined,
  });
});

test("gapSince() goes by the order of the ends, not of the attempts", () => {
  assert.equal(gapSince([attempt(140), attempt(90), attempt(120)], 100).longestMs, 30);
});

test("firstSuccessAfter() is the end of the earliest", () => {
  const attempts = [attempt(50), attempt(130), attempt(110, "refused"), attempt(120)];
  assert.equal(firstSuccessAfter(attempts, 100), 120);
  assert.equal(firstSuccessAfter(attempts, 200), undefined);
});
