import assert from "node:assert/strict";
import { test } from "node:test";
import { collectAsBytesPass } from "./bulk-collection.ts";

test("collectAsBytesPass() collects once for every 4 MiB that have passed, in pieces of any size", () => {
  let sweeps = 0;
  const onBytes = collectAsBytesPass({ sweepYoung: () => void sweeps++ });
  for (let piece = 0; piece < 127; piece++) onBytes(32 * 1024);
  assert.equal(sweeps, 0);
  onBytes(32 * 1024);
  assert.equal(sweeps, 1);
  onBytes(100);
  assert.equal(sweeps, 1);
  onBytes(5 * 2 ** 20);
  assert.equal(sweeps, 2);
});
