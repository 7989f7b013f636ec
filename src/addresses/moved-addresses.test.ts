import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addressAt, parseLoopbackRange } from "../model/loopback.ts";
import { podKey, serviceKey } from "../model/service-key.ts";
import type { MovedAddress } from "./address-memory.ts";
import { formatMovedAddresses, parseMovedAddresses } from "./moved-addresses.ts";

const about = { clusterUrl: "https://10.0.0.1:6443/", range: "127.0.0.0/8" };
const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
const range = parseLoopbackRange("127.0.0.0/8");
const owner = fc.tuple(label, label, fc.option(label)).map(([namespace, name, hostname]) => {
  const service = serviceKey(namespace, name);
  return hostname === null ? service : podKey(service, hostname);
});
const entries = fc.array(
  fc.tuple(
    owner,
    fc.nat(range.size - 1).map((index) => addressAt(range, index)),
  ),
);

test("parseMovedAddresses() reads what formatMovedAddresses() wrote, in its order", () => {
  fc.assert(
    fc.property(entries, fc.string(), (moved: readonly MovedAddress[], clusterUrl) => {
      const whose = { ...about, clusterUrl };
      assert.deepEqual(parseMovedAddresses(formatMovedAddresses(whose, moved), whose), moved);
    }),
  );
});

test("parseMovedAddresses() throws usage for everything else", () => {
  const text = formatMovedAddresses(about, [[serviceKey("shop", "cart"), addressAt(range, 70_000)]]);
  const table: readonly (readonly [text: string, message: RegExp])[] = [
    ["", /no JSON/],
    [text.slice(0, -3), /no JSON/],
    ["null", /version/],
    ["[]", /version/],
    [text.replace("1,", "2,"), /version/],
    [text.replace("10.0.0.1", "10.0.0.2"), /another cluster/],
    [text.replace("/8", "/16"), /another cluster or range/],
    [text.replace("addresses", "others"), /no list/],
    [text.replace("shop/cart", "shop"), /no valid name/],
    [text.replace("shop/cart", "shop/../etc"), /no valid name/],
    [text.replace("shop/cart", "a/b/c/d"), /an owner that is none/],
    [text.replace("127.1.17.112", "10.1.1.1"), /an entry that is none/],
    [text.replace('["shop/cart"', '[7, "shop/cart"'), /an entry that is none/],
  ];
  for (const [broken, message] of table) {
    assert.throws(() => parseMovedAddresses(broken, about), { code: "usage", message }, broken);
  }
  assert.throws(() => parseMovedAddresses(text, { ...about, range: "127.1.0.0/16" }), { code: "usage" });
});
