import assert from "node:assert/strict";
import { test } from "node:test";
import { processWitness } from "./process-witness.ts";

/** A witness, and what it says of a writer that differs from this process. */
async function judged(differs: Readonly<Record<string, unknown>>) {
  const witness = await processWitness();
  const writer = { ...Object(witness.self), ...differs };
  return [await witness.isElsewhere?.(writer), await witness.isRunning(writer)];
}

test("processWitness() knows itself again, and one before the last boot for dead", async () => {
  assert.deepEqual(await judged({}), [false, true]);
  assert.deepEqual(await judged({ bootId: "another" }), [false, false]);
});

test("processWitness() tells a writer of another machine from a dead one of its own", async () => {
  const [isElsewhere] = await judged({ machine: "desk/0a1b2c", bootId: "another" });
  assert.equal(isElsewhere, true);
});

test("processWitness() holds one that does not name its machine for one of this", async () => {
  assert.deepEqual(await judged({ machine: undefined, bootId: "another" }), [false, false]);
});

test("processWitness() knows a machine by its boot when it is called otherwise by now", {
  skip: process.platform !== "linux",
}, async () => {
  assert.deepEqual(await judged({ machine: "before-dhcp/" }), [false, true]);
});
