import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nearest } from "./nearest.ts";

describe("nearest()", () => {
  for (const [word, expected] of [
    ["lits", "list"],
    ["List", "list"],
    ["pin", "ping"],
    ["verison", "version"],
    ["expose", undefined],
    ["", undefined],
    ["constructor", undefined],
  ] as const) {
    it(`finds ${expected} for "${word}"`, () => {
      assert.equal(nearest(word, ["list", "ping", "down", "version", "help"]), expected);
    });
  }
});
