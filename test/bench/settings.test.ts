import assert from "node:assert/strict";
import { test } from "node:test";
import { rowNames } from "./results.ts";
import { documentCommand, parseSettings, UsageError, usage } from "./settings.ts";

test("parseSettings() measures every row with 5,000 Services when nothing is asked for", () => {
  const settings = parseSettings([]);
  assert.ok(settings !== "help");
  assert.deepEqual(settings.rows, rowNames);
  assert.deepEqual([settings.repeats, settings.services, settings.bulkBytes], [2, 5000, 2 ** 28]);
  assert.deepEqual([settings.jsonFile, settings.markdownFile], [undefined, undefined]);
});

test("parseSettings() repeats the long rows as often as it is told, and else less often", () => {
  const [plain, told] = [parseSettings([]), parseSettings(["--repeats", "5"])];
  assert.ok(plain !== "help" && told !== "help");
  assert.ok(plain.longRepeats < plain.repeats);
  assert.deepEqual([told.repeats, told.longRepeats], [5, 5]);
});

test("documentCommand() repeats the run without the files of this machine", () => {
  assert.equal(documentCommand([]), "npm run bench -- --markdown docs/performance.md");
  assert.equal(
    documentCommand(["--services", "300", "--json", "/tmp/x.json", "--markdown=/tmp/y.md", "--repeats=5"]),
    "npm run bench -- --services 300 --repeats=5 --markdown docs/performance.md",
  );
});

test("the usage names every row and no line of it is too long", () => {
  for (const name of rowNames) assert.match(usage, new RegExp(`\\b${name}\\b`));
  assert.deepEqual(
    usage.split("\n").filter((line) => line.length > 130),
    [],
  );
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
    ["--markdown", "x", "--quick"],
    ["--only", "rate", "--markdown=x"],
  ]) {
    assert.throws(() => parseSettings(args), UsageError, args.join(" "));
  }
});

test("parseSettings() gives help even beside other flags", () => {
  assert.equal(parseSettings(["--quick", "-h"]), "help");
});
