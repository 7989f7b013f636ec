import assert from "node:assert/strict";
import { test } from "node:test";
import { hintFor } from "./hint.ts";

test("hintFor() sends who typed something wrong to the command's own help", () => {
  assert.equal(hintFor("usage", "wait"), 'Run "localizer wait --help" to see what there is');
  assert.equal(hintFor("usage", "help"), 'Run "localizer help" to see what there is');
  assert.equal(hintFor("usage", ""), 'Run "localizer help" to see what there is');
});

test("hintFor() speaks of the daemon's user only where a daemon was asked", () => {
  for (const command of ["", "up", "cleanup", "wait"]) assert.equal(hintFor("denied", command), undefined);
  assert.equal(hintFor("denied", "list"), "Call it as the user who started the daemon");
});

test("hintFor() adds nothing to a timeout that names its cause", () => {
  assert.equal(hintFor("timeout", "wait"), undefined);
  assert.equal(hintFor("timeout", "up"), undefined);
  assert.equal(hintFor("timeout", "ping"), "See the daemon's log for the reason");
});
