import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backoffMs } from "./backoff.ts";

const options = { baseMs: 100, factor: 2, capMs: 1_000 };
const longest = (attempt: number) => backoffMs(attempt, options, () => 1);

test("backoffMs() grows by the factor up to the cap", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5].map(longest), [100, 200, 400, 800, 1_000, 1_000]);
});

test("backoffMs() waits a tenth of the ceiling at least", () => {
  const shortest = [0, 1, 9].map((attempt) => Math.round(backoffMs(attempt, options, () => 0)));
  assert.deepEqual(shortest, [10, 20, 100]);
});

test("backoffMs() stays at the cap after any number of attempts and starts at the base for a negative one", () => {
  assert.equal(longest(5_000), 1_000);
  assert.equal(longest(-3), 100);
});

test("backoffMs() lies between a tenth of the ceiling and the ceiling, whatever the dice say", () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.nat(100), random, (attempt, roll) => {
      const ms = backoffMs(attempt, options, () => roll);
      const ceiling = Math.min(1_000, 100 * 2 ** attempt);
      return ms > 0 && ms >= ceiling * 0.0999 && ms <= ceiling;
    }),
  );
});
