import assert from "node:assert/strict";
import { test } from "node:test";
import { hostName, isDnsLabel, isHostName } from "./host-name.ts";

test("isDnsLabel() accepts RFC 1123 labels in lower case", () => {
  for (const label of ["a", "cart", "cart-v2", "0", "3com", "x".repeat(63)]) assert.ok(isDnsLabel(label), label);
});

test("isDnsLabel() refuses all else", () => {
  const wrong = ["", "-a", "a-", "A", "a_b", "a.b", "a b", "a\n", "ä", "x".repeat(64)];
  assert.deepEqual(wrong.filter(isDnsLabel), []);
});

test("isHostName() accepts labels joined by dots, 253 characters at most", () => {
  const longest = [63, 63, 63, 61].map((length) => "x".repeat(length)).join(".");
  assert.equal(longest.length, 253);
  for (const name of ["cart", "cart.shop.svc.cluster.local", "1.shop", longest]) assert.ok(isHostName(name), name);
  assert.equal(isHostName(`${longest}x`), false);
});

test("isHostName() refuses numbers, addresses, empty labels and what could add to a hosts line", () => {
  const wrong = ["1", "127.0.0.1", "10.1", "", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\n127.1.2.3 b", "a#b", "A.b"];
  assert.deepEqual(wrong.filter(isHostName), []);
});

test("hostName() gives the name back or throws usage", () => {
  assert.equal(hostName("cart.shop"), "cart.shop");
  assert.throws(() => hostName("cart shop"), { code: "usage", message: /"cart shop"/ });
});
