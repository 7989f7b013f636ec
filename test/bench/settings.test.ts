import assert from "node:assert/strict";
import { test } from "node:test";
import { rowNames } from "./results.ts";
import { parseSettings, UsageError } from "./settings.ts";

test("parseSettings() measures every row with 1,000 Services when nothing is asked for", () => {
  const settings = parseSettings([]);
  assert.ok(settings !== "help");
  assert.deepEqual(settings.rows, rowNames);
  assert.deepEqual([settings.repeats, settings.services, settings.bulkBytes], [3, 1000, 2 ** 28]);
  assert.equal(settings.jsonFile, undefined);
});

test("parseSettings() lets a number win over --quick, and keeps the rows in their order", () => {
  const settings = parseSettings([
    "--quick",
    "--repeats",
    "7",
    "--services=12",
    "--only",
    "start, rate",
    "--json",
    "x",
  ]);
  assert.ok(settings !== "help");
  assert.deepEqual([settings.repeats, settings.services, settings.rows], [7, 12, ["rate", "start"]]);
  assert.equal(settings.jsonFile, "x");
  assert.ok(settings.connects < 300);
});

test("parseSettings() refuses what it does not know", () => {
  for (const args of [
    ["--fast"],
    ["connect"],
    ["--only", "upload"],
    ["--only", ""],
    ["--repeats", "0"],
    ["--repeats", "1.5"],
    ["--services", "-1"],
    ["--services", "5001"],
    ["--repeats"],
  ]) {
    assert.throws(() => parseSettings(args), UsageError, args.join(" "));
  }
});

test("parseSettings() gives help even beside other flags", () => {
  assert.equal(parseSettings(["--quick", "-h"]), "help");
});
