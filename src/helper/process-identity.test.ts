import assert from "node:assert/strict";
import { test } from "node:test";
import { isForeign, isRunning, isSameProcess, processIdentity } from "./process-identity.ts";

const none = 4_194_305;

test("processIdentity() names this process, and nobody for a pid that is free", async () => {
  const identity = await processIdentity(process.pid);
  assert.equal(identity?.pid, process.pid);
  assert.match(`${identity?.startTime} ${identity?.bootId}`, /^\w+ [\w-]+$/);
  assert.equal(await processIdentity(none), undefined);
});

test("isRunning() tells a process from an earlier one with its pid, and from one before the last boot", async () => {
  const identity = await processIdentity(process.pid);
  assert.ok(identity);
  assert.equal(await isRunning(identity), true);
  assert.equal(await isRunning({ ...identity, startTime: "1" }), false);
  assert.equal(await isRunning({ ...identity, bootId: "another" }), false);
  assert.equal(await isRunning({ ...identity, pid: none }), false);
});

test("isRunning() counts one of another container as running, until the next boot", {
  skip: process.platform !== "linux",
}, async () => {
  const identity = await processIdentity(process.pid);
  assert.ok(identity);
  const foreign = { ...identity, pid: none, pidNamespace: "1" };
  assert.deepEqual([await isRunning(foreign), await isForeign(foreign)], [true, true]);
  assert.equal(await isRunning({ ...foreign, bootId: "another" }), false);
  const { pidNamespace: _, ...before } = identity;
  assert.deepEqual(
    [await isRunning(before), await isForeign(before)],
    [true, false],
    "written by an earlier localizer",
  );
  assert.equal(isSameProcess(identity, { ...identity, pidNamespace: "1" }), false);
});
