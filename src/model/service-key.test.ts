import assert from "node:assert/strict";
import { test } from "node:test";
import { nameOf, namespaceOf, serviceKey } from "./service-key.ts";

test("serviceKey() joins namespace and name, which nameOf() and namespaceOf() take apart", () => {
  const key = serviceKey("shop", "cart-v2");
  assert.equal(key, "shop/cart-v2");
  assert.equal(namespaceOf(key), "shop");
  assert.equal(nameOf(key), "cart-v2");
});

test("serviceKey() refuses what is no DNS label and says which part", () => {
  assert.throws(() => serviceKey("shop", "Cart"), { code: "usage", message: /"shop\/Cart".*"Cart" is no valid name/ });
  assert.throws(() => serviceKey("a/b", "cart"), { code: "usage" });
  assert.throws(() => serviceKey("", "cart"), { code: "usage" });
  assert.throws(() => serviceKey("shop", "x".repeat(64)), { code: "usage" });
});
