import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseLabelSelector, selectorText, selects } from "./label-selector.ts";

const labels = { app: "cart", tier: "web" };

describe("selects()", () => {
  for (const [selector, expected] of [
    [{ matchLabels: { app: "cart" } }, true],
    [{ matchLabels: { app: "cart", hash: "1" } }, false],
    [{ app: "cart", tier: "web" }, true],
    [{ app: "shop" }, false],
    [{}, true],
    [{ matchExpressions: [{ key: "app", operator: "In", values: ["a", "cart"] }] }, true],
    [{ matchExpressions: [{ key: "hash", operator: "In", values: ["1"] }] }, false],
    [{ matchExpressions: [{ key: "app", operator: "NotIn", values: ["cart"] }] }, false],
    [{ matchExpressions: [{ key: "hash", operator: "NotIn", values: ["1"] }] }, true],
    [{ matchExpressions: [{ key: "tier", operator: "Exists" }] }, true],
    [{ matchExpressions: [{ key: "toString", operator: "Exists" }] }, false],
    [{ matchExpressions: [{ key: "tier", operator: "DoesNotExist" }] }, false],
    [{ matchLabels: { app: "cart" }, matchExpressions: [{ key: "tier", operator: "Newer" }] }, false],
  ] as const) {
    it(`is ${expected} for ${JSON.stringify(selector)}`, () => {
      const parsed = parseLabelSelector(selector);
      assert.ok(parsed !== undefined);
      assert.equal(selects(parsed, labels), expected);
    });
  }

  it("has nothing to say where there is no selector", () => {
    assert.equal(parseLabelSelector(undefined), undefined);
  });
});

describe("selectorText()", () => {
  it("writes labels for the API's query", () => assert.equal(selectorText(labels), "app=cart,tier=web"));
});
