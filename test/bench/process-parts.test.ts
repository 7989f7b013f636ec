import assert from "node:assert/strict";
import { test } from "node:test";
import { inParts, processParts } from "./process-parts.ts";

test("processParts() takes the first process for the helper and the rest for the user's part", () => {
  assert.deepEqual(processParts([10, 11, 12]), { helper: [10], user: [11, 12] });
});

test("processParts() does not take one process for both", () => {
  assert.throws(() => processParts([10]), /helper and user's part/);
  assert.throws(() => processParts([]), /helper and user's part/);
});

test("inParts() has the sum for the table and each part for the JSON file", () => {
  const samples = inParts("PSS", "MiB", { user: 70, helper: 40 });
  assert.deepEqual(
    samples.map(([{ name, detail }, value]) => [name, detail === true, value]),
    [
      ["PSS", false, 110],
      ["PSS, user's part", true, 70],
      ["PSS, helper", true, 40],
    ],
  );
});
