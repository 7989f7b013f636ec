import assert from "node:assert/strict";
import { test } from "node:test";
import { daemonFlags } from "./launch-up.ts";

test("daemonFlags() drops the word and its own flag, wherever they stand, and nothing else", () => {
  const kept = ["--context", "dev", "--namespace=a", "--no-helper"];
  assert.deepEqual(daemonFlags(["up", ...kept]), kept);
  assert.deepEqual(daemonFlags(["--timeout", "5s", ...kept, "up"]), kept);
  assert.deepEqual(daemonFlags([...kept, "--timeout=5s", "up"]), kept);
  assert.deepEqual(daemonFlags(["--context", "up", "up"]), ["--context", "up"]);
});
