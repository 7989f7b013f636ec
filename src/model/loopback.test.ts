import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  addressAt,
  formatLoopbackRange,
  inRange,
  isKeptOut,
  isLoopbackAddress,
  type LoopbackAddress,
  parseLoopbackRange,
  parseServiceRange,
  usableRange,
} from "./loopback.ts";

function address(text: string): LoopbackAddress {
  assert.ok(isLoopbackAddress(text), text);
  return text;
}

test("isLoopbackAddress() accepts dotted addresses of 127.0.0.0/8", () => {
  for (const text of ["127.0.0.0", "127.0.0.1", "127.255.255.255"]) assert.ok(isLoopbackAddress(text), text);
});

test("isLoopbackAddress() refuses other networks and other spellings", () => {
  const wrong = ["128.0.0.1", "10.0.0.1", "127.1", "127.0.0.01", "127.0.0.256", "::1", "127.0.0.1 ", "localhost", ""];
  assert.deepEqual(wrong.filter(isLoopbackAddress), []);
});

test("parseLoopbackRange() reads a block and drops host bits", () => {
  assert.deepEqual(parseLoopbackRange("127.0.0.0/8"), { first: 0x7f00_0000, size: 2 ** 24 });
  assert.deepEqual(parseLoopbackRange("127.0.0.1/8"), parseLoopbackRange("127.0.0.0/8"));
  assert.deepEqual(parseLoopbackRange("127.3.2.1/16"), { first: 0x7f03_0000, size: 2 ** 16 });
  assert.deepEqual(parseLoopbackRange("127.3.2.1/32"), { first: 0x7f03_0201, size: 1 });
});

test("parseLoopbackRange() throws usage for all that is no block of 127.0.0.0/8", () => {
  const wrong = [
    "127.0.0.0",
    "127.0.0.0/",
    "127.0.0.0/7",
    "127.0.0.0/33",
    "127.0.0.0/8/8",
    "127.0.0.0/8 ",
    "127.0.0.0/-8",
    "127.0.0/8",
    "126.0.0.0/8",
    "10.0.0.0/8",
    "::1/128",
    "/8",
    "",
  ];
  for (const text of wrong) assert.throws(() => parseLoopbackRange(text), { code: "usage" }, text);
});

test("addressAt() counts from the first address to the last", () => {
  const range = parseLoopbackRange("127.1.0.0/16");
  assert.equal(addressAt(range, 0), "127.1.0.0");
  assert.equal(addressAt(range, 257), "127.1.1.1");
  assert.equal(addressAt(range, range.size - 1), "127.1.255.255");
});

test("formatLoopbackRange() writes what parseLoopbackRange() reads", () => {
  for (const text of ["127.0.0.0/8", "127.1.0.0/16", "127.3.4.128/25", "127.3.4.5/32"]) {
    assert.equal(formatLoopbackRange(parseLoopbackRange(text)), text);
  }
});

test("addressAt() throws for an index outside of the range", () => {
  const range = parseLoopbackRange("127.1.0.0/24");
  for (const index of [-1, 256, 1.5, Number.NaN]) assert.throws(() => addressAt(range, index), RangeError);
});

test("parseServiceRange() throws usage for a range that the machine has all of", () => {
  for (const text of ["127.0.0.0/16", "127.0.5.0/24", "127.0.0.1/32", "127.255.255.255/32"]) {
    assert.throws(() => parseServiceRange(text), { code: "usage", message: /belong to the machine$/ }, text);
  }
  for (const text of ["127.0.0.0/8", "127.0.0.0/15", "127.255.255.254/31", "127.1.0.0/32"]) {
    assert.deepEqual(parseServiceRange(text), parseLoopbackRange(text));
  }
});

test("usableRange() begins behind the machine's addresses, and isKeptOut() knows them and the broadcast address", () => {
  assert.deepEqual(usableRange(parseLoopbackRange("127.0.0.0/8")), { first: 0x7f01_0000, size: 2 ** 24 - 2 ** 16 });
  assert.deepEqual(usableRange(parseLoopbackRange("127.3.0.0/16")), parseLoopbackRange("127.3.0.0/16"));
  assert.equal(usableRange(parseLoopbackRange("127.0.7.0/24")).size, 0);
  const texts = ["127.0.0.1", "127.0.255.255", "127.1.0.0", "127.255.255.254", "127.255.255.255"];
  assert.deepEqual(
    texts.map((text) => isKeptOut(address(text))),
    [true, true, false, false, true],
  );
});

test("inRange() knows the borders", () => {
  const range = parseLoopbackRange("127.1.0.0/24");
  assert.deepEqual(
    ["127.0.255.255", "127.1.0.0", "127.1.0.255", "127.1.1.0"].map((text) => inRange(range, address(text))),
    [false, true, true, false],
  );
});

test("addressAt() gives different addresses in the range for different indexes", () => {
  const block = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.integer({ min: 8, max: 32 }));
  fc.assert(
    fc.property(block, fc.nat(), fc.nat(), ([a, b, c, prefix], one, other) => {
      const range = parseLoopbackRange(`127.${a}.${b}.${c}/${prefix}`);
      const first = addressAt(range, one % range.size);
      const second = addressAt(range, other % range.size);
      assert.ok(isLoopbackAddress(first) && inRange(range, first));
      assert.equal(first === second, one % range.size === other % range.size);
    }),
  );
});
