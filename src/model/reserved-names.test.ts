import assert from "node:assert/strict";
import { test } from "node:test";
import { isReservedName } from "./reserved-names.ts";

test("isReservedName() knows the machine's names", () => {
  const names = ["localhost", "app.localhost", "cart.shop.localhost", "localhost.localdomain", "broadcasthost"];
  for (const name of [...names, "ip6-loopback", "wpad", "host.docker.internal"]) assert.ok(isReservedName(name), name);
});

test("isReservedName() leaves names that only look alike", () => {
  for (const name of ["mylocalhost", "localhost.shop", "ip6-gateway.shop", "cart.shop", "wpad.shop"]) {
    assert.equal(isReservedName(name), false, name);
  }
});
