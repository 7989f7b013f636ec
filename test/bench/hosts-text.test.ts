import assert from "node:assert/strict";
import { test } from "node:test";
import { readHosts } from "./hosts-text.ts";

test("readHosts() finds each name of a line, and none in a comment", () => {
  const text = "127.0.0.1\tlocalhost\n# 127.0.0.2 gone.shop\n127.101.2.3  cart.shop cart.shop.svc # ours\n\n";
  assert.deepEqual(
    [...readHosts(text)],
    [
      ["localhost", "127.0.0.1"],
      ["cart.shop", "127.101.2.3"],
      ["cart.shop.svc", "127.101.2.3"],
    ],
  );
});
