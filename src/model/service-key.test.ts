import assert from "node:assert/strict";
import { test } from "node:test";
import { nameOf, namespaceOf, podKey, serviceKey } from "./service-key.ts";

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

test("podKey() puts the pod's host name behind its service, and refuses what is no DNS label", () => {
  const service = serviceKey("shop", "db");
  assert.equal(podKey(service, "db-0"), "shop/db/db-0");
  for (const hostname of ["", "DB-0", "a/b", "a.b"]) assert.throws(() => podKey(service, hostname), { code: "usage" });
});
