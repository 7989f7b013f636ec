import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { pairedRatio, percentile, spreadOf } from "./statistics.ts";

const samples = fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 50 });

test("percentile() takes the nearest rank, whatever the order", () => {
  const values = [50, 15, 40, 20, 35];
  assert.deepEqual(
    [0, 5, 30, 40, 50, 99, 100].map((percent) => percentile(values, percent)),
    [15, 15, 20, 20, 35, 50, 50],
  );
});

test("percentile() gives a value that was measured and that enough do not exceed", () => {
  fc.assert(
    fc.property(samples, fc.integer({ min: 0, max: 100 }), (values, percent) => {
      const value = percentile(values, percent);
      assert.ok(values.includes(value));
      assert.ok(values.filter((other) => other <= value).length >= (percent / 100) * values.length);
    }),
  );
});

test("percentile() refuses no values and percentages that are none", () => {
  assert.throws(() => percentile([], 50), RangeError);
  assert.throws(() => percentile([1], 101), RangeError);
  assert.throws(() => percentile([1], Number.NaN), RangeError);
});

test("spreadOf() names median, least and greatest", () => {
  assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, min: 1, max: 3 });
  assert.deepEqual(spreadOf([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4 });
  assert.throws(() => spreadOf([]), RangeError);
});

test("spreadOf() has as many values below its median as above", () => {
  fc.assert(
    fc.property(samples, (values) => {
      const { median, min, max } = spreadOf(values);
      assert.ok(min <= median && median <= max);
      assert.ok(values.filter((value) => value < median).length <= values.length / 2);
      assert.ok(values.filter((value) => value > median).length <= values.length / 2);
    }),
  );
});

test("pairedRatio() compares what was measured side by side", () => {
  // The ratio of the medians would be 1.5; in each pair it is 2.
  assert.deepEqual(pairedRatio([2, 6, 20], [1, 3, 10]), { median: 2, min: 2, max: 2 });
  assert.deepEqual(pairedRatio([1, 4], [2, 2]), { median: 1.25, min: 0.5, max: 2 });
});

test("pairedRatio() is undefined where there is nothing to compare", () => {
  assert.equal(pairedRatio([], []), undefined);
  assert.equal(pairedRatio([1], [1, 2]), undefined);
  assert.equal(pairedRatio([1, 2], [1, 0]), undefined);
  assert.equal(pairedRatio([0, 2], [1, 4]), undefined);
  assert.equal(pairedRatio([-1], [1]), undefined);
});
