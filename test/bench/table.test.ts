import assert from "node:assert/strict";
import { test } from "node:test";
import { Recorder } from "./results.ts";
import { formatNumber, formatResults, formatSpread, formatValues, tableLines } from "./table.ts";

const p50 = { name: "first echoed byte, p50", unit: "ms", better: "less", reach: "≤ 0.6 × kubectl" } as const;
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
  const connect = new Recorder("connect", "");
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
  const many = new Recorder("many", "");
  many.add(memory, "localizer", 100);
  assert.deepEqual(formatResults([connect.result(), many.result("the cluster went away")]).split("\n"), [
    "row      measure                 unit  better  localizer         kubectl           relay  localizer / kubectl  reach",
    "connect  first echoed byte, p50  ms    less    4.40 (2.20–6.60)  2.20 (1.10–2.20)  -      2 (2–3.00)           ≤ 0.6 × kubectl",
    "many     PSS                     MiB   less    100               -                 -      -",
    "",
    "connect: one after the other",
    "many: FAILED: the cluster went away",
    "",
  ]);
});

test("formatResults() leaves details to the JSON file", () => {
  const many = new Recorder("many", "");
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
  const recorder = new Recorder("connect", "");
  recorder.add(p50, "kubectl", 3);
  recorder.add(p50, "localizer", 2);
  recorder.add(p50, "kubectl", 1);
  assert.deepEqual(recorder.result().measures, [{ ...p50, samples: { kubectl: [3, 1], localizer: [2] } }]);
});

test("formatValues() counts the words beside the figures", () => {
  assert.equal(formatValues(["exits", "exits"]), "exits 2 of 2");
  assert.equal(formatValues([2, "never", 4]), "3 (2–4), never 1 of 3");
  assert.equal(formatValues([]), "-");
});

test("tableLines() compares only where both have a figure", () => {
  const refused = new Recorder("refused", "");
  for (const [localizer, kubectl] of [
    [1, "exits"],
    [3, 2],
  ] as const) {
    refused.add(p50, "localizer", localizer);
    refused.add(p50, "kubectl", kubectl);
  }
  const [, line = []] = tableLines([refused.result()]);
  assert.deepEqual(line.slice(4), ["2 (1–3)", "2, exits 1 of 2", "-", "1.50", "≤ 0.6 × kubectl"]);
});

test("Recorder keeps measures apart that differ in their unit alone", () => {
  const recorder = new Recorder("connect", "");
  recorder.add({ name: "far", unit: "ms", better: "less" }, "localizer", 25);
  recorder.add({ name: "far", unit: "round trips", better: "less" }, "localizer", 1.25);
  assert.deepEqual(
    recorder.result().measures.map(({ unit, samples }) => [unit, samples.localizer]),
    [
      ["ms", [25]],
      ["round trips", [1.25]],
    ],
  );
});
