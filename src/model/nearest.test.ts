import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nearest, nearestFew } from "./nearest.ts";

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

describe("nearestFew()", () => {
  const names = ["carts", "card", "catalog", "cart"];
  it("gives the nearest first and not more than asked for", () => {
    assert.deepEqual(nearestFew("crat", names, 3), ["cart"]);
    assert.deepEqual(nearestFew("cart", names, 2), ["cart", "carts"]);
    assert.deepEqual(nearestFew("", names, 3), []);
  });
});
