import assert from "node:assert/strict";
import { test } from "node:test";
import { Silences } from "./silence.ts";

const lease = (resourceVersion: string, uid = "a") => ({ uid, resourceVersion });

test("Silences adds up the time in which a Lease did not change", () => {
  const silences = new Silences();
  silences.look([lease("1")], 99);
  assert.equal(silences.of(lease("1")), 0);
  silences.look([lease("1")], 10);
  silences.look([lease("1")], 5);
  assert.equal(silences.of(lease("1")), 15);
});

test("Silences begins anew with a sign of life, and with a Lease that was away", () => {
  const silences = new Silences();
  silences.look([lease("1"), lease("1", "b")], 0);
  silences.look([lease("2")], 10);
  silences.look([lease("2"), lease("1", "b")], 10);
  assert.deepEqual([silences.of(lease("2")), silences.of(lease("1", "b"))], [10, 0]);
});
