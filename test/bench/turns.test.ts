import assert from "node:assert/strict";
import { test } from "node:test";
import { Recorder } from "./results.ts";
import { inTurns } from "./turns.ts";

const measure = { name: "figure", unit: "", better: "less" } as const;

test("inTurns() takes a sample that failed once more, and the row says so", async () => {
  const recorder = new Recorder("rate", "");
  const { signal } = new AbortController();
  let taken = 0;
  const contenders = [{ name: "localizer" }, { name: "kubectl" }] as const;
  await inTurns(contenders, { repeats: 2, signal, log: () => {}, recorder }, async ({ name }) => {
    if (name === "localizer" && ++taken % 2 === 1) throw new Error(`cut ${taken}`);
    return () => recorder.add(measure, name, taken);
  });
  const { measures, notes } = recorder.result();
  assert.deepEqual(measures, [{ ...measure, samples: { localizer: [2, 4], kubectl: [2, 2] } }]);
  assert.deepEqual(notes, ["localizer: 2 samples failed and taken once more, the first for: cut 1"]);
});

test("inTurns() records nothing of a sample that was taken while the run was interrupted", async () => {
  const recorder = new Recorder("half", "");
  const stop = new AbortController();
  const options = { repeats: 1, signal: stop.signal, log: () => {}, recorder };
  const turns = inTurns([{ name: "localizer" }], options, async ({ name }) => {
    stop.abort(new Error("Interrupted"));
    return () => recorder.add(measure, name, 1);
  });
  await assert.rejects(turns, /Interrupted/);
  assert.deepEqual(recorder.result().measures, []);
});

test("a row that begins again forgets its samples and keeps what failed", () => {
  const recorder = new Recorder("rate", "");
  recorder.add(measure, "kubectl", 1);
  recorder.retaken("kubectl", "reset");
  recorder.restart("the cluster went away");
  recorder.add(measure, "kubectl", 2);
  const { measures, notes } = recorder.result();
  assert.deepEqual(measures, [{ ...measure, samples: { kubectl: [2] } }]);
  assert.deepEqual(notes, [
    "kubectl: 1 sample failed and taken once more, the first for: reset",
    "the whole row measured again from the beginning, for: the cluster went away",
  ]);
});
