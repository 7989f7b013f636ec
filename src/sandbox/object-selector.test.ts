import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesSelector, selectorText } from "./object-selector.ts";

test("matchesSelector() takes plain maps and label selectors, and nothing for a selector of nothing", () => {
  const labels = { app: "cart", tier: "web" };
  const expression = (operator: string, ...values: string[]) => ({
    matchLabels: { app: "cart" },
    matchExpressions: [{ key: "tier", operator, ...(values.length === 0 ? {} : { values }) }],
  });
  const table: readonly (readonly [unknown, boolean])[] = [
    [{ app: "cart" }, true],
    [{ app: "cart", more: "x" }, false],
    [{ matchLabels: { tier: "web" } }, true],
    [{}, false],
    [undefined, false],
    [{ matchLabels: {} }, false],
    [expression("In", "web", "db"), true],
    [expression("NotIn", "web"), false],
    [expression("Exists"), true],
    [expression("DoesNotExist"), false],
    [expression("Nonsense"), false],
  ];
  for (const [selector, expected] of table) assert.equal(matchesSelector(selector, labels), expected);
});

test("selectorText() writes what a query understands", () => {
  const matchExpressions = [
    { key: "tier", operator: "NotIn", values: ["b", "a"] },
    { key: "old", operator: "DoesNotExist" },
  ];
  assert.equal(selectorText({ matchLabels: { app: "cart" }, matchExpressions }), "!old,app=cart,tier notin (a,b)");
  assert.equal(selectorText({ b: "2", a: "1" }), "a=1,b=2");
});
