import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseLabelSelector } from "./label-selector.ts";
import { Refusal } from "./status.ts";

const table: readonly (readonly [selector: string, labels: Record<string, string>, matches: boolean])[] = [
  ["", {}, true],
  ["a", { a: "" }, true],
  ["a", {}, false],
  ["!a", {}, true],
  ["!a", { a: "x" }, false],
  ["a=", { a: "" }, true],
  ["a==x", { a: "x" }, true],
  ["a!=x", {}, true],
  ["a in (x,y),b", { a: "y", b: "z" }, true],
  ["a in (x,y)", { a: "z" }, false],
  ["a notin (x)", {}, true],
  ["example.com/part-of = shop", { "example.com/part-of": "shop" }, true],
  ["constructor", {}, false],
];

for (const [selector, labels, matches] of table) {
  test(`parseLabelSelector() says ${matches} for ${JSON.stringify(selector)} on ${JSON.stringify(labels)}`, () => {
    assert.equal(parseLabelSelector(selector)(labels), matches);
  });
}

test("parseLabelSelector() refuses what is no selector with 400", () => {
  for (const text of ["a=(b", "=x", "a b", "a in x", ",", "a,,b", "-a", "a=b=c"]) {
    assert.throws(
      () => parseLabelSelector(text),
      (error) => error instanceof Refusal && error.code === 400,
      text,
    );
  }
});

test("parseLabelSelector() takes any labels as the selector of themselves, and no others", () => {
  const word = fc.stringMatching(/^[a-z0-9]([a-z0-9._-]{0,10}[a-z0-9])?$/);
  fc.assert(
    fc.property(fc.dictionary(word, word, { minKeys: 1 }), (labels) => {
      const entries = Object.entries(labels);
      const matches = parseLabelSelector(entries.map(([key, value]) => `${key}=${value}`).join());
      const [first] = entries;
      assert.ok(matches(labels));
      assert.equal(matches({ ...labels, [first?.[0] ?? ""]: "OTHER" }), false);
    }),
  );
});
