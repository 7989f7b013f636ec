import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { boundsMs, Histogram } from "./histogram.ts";

test("Histogram.observe() counts each duration once, a bound in its own bucket, and sums them", () => {
  const histogram = new Histogram();
  for (const ms of [0, 1, 1.001, 5_000, 5_000.1, 1e9]) histogram.observe(ms);
  const { counts } = histogram;
  assert.equal(counts.length, boundsMs.length + 1);
  assert.deepEqual([counts[0], counts[1], counts.at(-2), counts.at(-1)], [2, 1, 1, 2]);
  assert.equal(histogram.sumMs, 0 + 1 + 1.001 + 5_000 + 5_000.1 + 1e9);
});

test("Histogram.counts agree with the durations that lie below each bound, whatever they are", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 10_000, noNaN: true })), (durations) => {
      const histogram = new Histogram();
      for (const ms of durations) histogram.observe(ms);
      let sum = 0;
      for (const [index, bound] of [...boundsMs, Number.POSITIVE_INFINITY].entries()) {
        sum += histogram.counts[index] ?? 0;
        assert.equal(sum, durations.filter((ms) => ms <= bound).length);
      }
    }),
  );
});

test("Histogram.counts are a copy, and the bounds rise", () => {
  const histogram = new Histogram();
  const before = histogram.counts;
  histogram.observe(3);
  assert.equal(before[2], 0);
  assert.deepEqual(
    boundsMs.toSorted((a, b) => a - b),
    boundsMs,
  );
});
