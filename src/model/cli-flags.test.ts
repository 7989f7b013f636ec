import assert from "node:assert/strict";
import { test } from "node:test";
import { spellOut } from "./cli-flags.ts";

test("spellOut() gives an optional value that is missing its place", () => {
  assert.deepEqual(spellOut(["--short-names", "--socket", "s"]), ["--short-names=", "--socket", "s"]);
  assert.deepEqual(spellOut(["up", "--short-names"]), ["up", "--short-names="]);
});

test("spellOut() leaves all else alone", () => {
  for (const argv of [
    ["--short-names", "shop", "list"],
    ["--short-names=off"],
    ["--context", "--socket"],
    ["--", "--short-names"],
    [],
  ]) {
    assert.deepEqual(spellOut(argv), argv);
  }
});
