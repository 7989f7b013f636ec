import assert from "node:assert/strict";
import { test } from "node:test";
import { Recorder } from "./results.ts";
import { formatNumber, formatResults, formatSpread } from "./table.ts";

const p50 = { name: "first echoed byte, p50", unit: "ms", better: "less" } as const;
const memory = { name: "PSS", unit: "MiB", better: "less" } as const;

test("formatNumber() keeps three digits that count and the whole part", () => {
  assert.deepEqual([0, 0.01234, 0.5, 1.234, 12.34, 99.96, 123.4, 1234.4].map(formatNumber), [
    "0",
    "0.0123",
    "0.500",
    "1.23",
    "12.3",
    "100.0",
    "123",
    "1234",
  ]);
});

test("formatSpread() shows lowest and highest only where they differ", () => {
  assert.equal(formatSpread({ median: 12.3, min: 11.04, max: 14.06 }), "12.3 (11.0–14.1)");
  assert.equal(formatSpread({ median: 2, min: 2, max: 2 }), "2");
});

test("formatResults() gives each measure a line and an empty cell a dash", () => {
  const connect = new Recorder("connect");
  for (const [localizer, kubectl] of [
    [2.2, 1.1],
    [6.6, 2.2],
    [4.4, 2.2],
  ] as const) {
    connect.add(p50, "localizer", localizer);
    connect.add(p50, "kubectl", kubectl);
  }
  connect.note("one after the other");
  connect.note("one after the other");
  const many = new Recorder("many");
  many.add(memory, "localizer", 100);
  assert.deepEqual(formatResults([connect.result(), many.result("the cluster went away")]).split("\n"), [
    "row      measure                 unit  better  localizer         kubectl           relay  localizer / kubectl",
    "connect  first echoed byte, p50  ms    less    4.40 (2.20–6.60)  2.20 (1.10–2.20)  -      2 (2–3.00)",
    "many     PSS                     MiB   less    100               -                 -      -",
    "",
    "connect: one after the other",
    "many: FAILED: the cluster went away",
    "",
  ]);
});

test("formatResults() leaves details to the JSON file", () => {
  const many = new Recorder("many");
  many.add(memory, "localizer", 100);
  many.add({ ...memory, name: "PSS, helper", detail: true }, "localizer", 40);
  const row = many.result();
  assert.deepEqual(
    row.measures.map(({ name }) => name),
    ["PSS", "PSS, helper"],
  );
  assert.doesNotMatch(formatResults([row]), /helper/);
});

test("Recorder keeps the samples of each contender in their order", () => {
  const recorder = new Recorder("connect");
  recorder.add(p50, "kubectl", 3);
  recorder.add(p50, "localizer", 2);
  recorder.add(p50, "kubectl", 1);
  assert.deepEqual(recorder.result().measures, [{ ...p50, samples: { kubectl: [3, 1], localizer: [2] } }]);
});
