import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isLoopbackAddress, type LoopbackAddress, parseLoopbackRange } from "../model/loopback.ts";
import { type ServiceKey, serviceKey } from "../model/service-key.ts";
import { AddressBook } from "./address-book.ts";
import { AddressMemory } from "./address-memory.ts";

const [a, b, c] = ["a", "b", "c"].map((name) => serviceKey("shop", name));
assert.ok(a !== undefined && b !== undefined && c !== undefined);

function address(last: number): LoopbackAddress {
  const text = `127.1.0.${last}`;
  assert.ok(isLoopbackAddress(text));
  return text;
}

function keys(count: number): readonly ServiceKey[] {
  return Array.from({ length: count }, (_, index) => serviceKey("shop", `svc-${index}`));
}

test("AddressMemory has one address an owner and one owner an address", () => {
  const memory = new AddressMemory();
  memory.remember(a, address(1));
  memory.remember(b, address(2));
  memory.remember(a, address(3));
  memory.remember(c, address(2));
  assert.deepEqual(memory.entries, [
    [a, address(3)],
    [c, address(2)],
  ]);
  assert.deepEqual([memory.ownerOf(address(1)), memory.addressOf(b)], [undefined, undefined]);
});

test("AddressMemory.forget() drops what is remembered of the owner and of the address", () => {
  const memory = new AddressMemory([
    [a, address(1)],
    [b, address(2)],
    [c, address(3)],
  ]);
  memory.forget(a, address(2));
  assert.deepEqual(memory.entries, [[c, address(3)]]);
});

test("AddressMemory drops the owner that was used least recently when it is full", () => {
  const memory = new AddressMemory([], { limit: 2 });
  memory.remember(a, address(1));
  memory.remember(b, address(2));
  memory.addressOf(a);
  memory.remember(c, address(3));
  assert.deepEqual(
    memory.entries.map(([owner]) => owner),
    [a, c],
  );
  assert.equal(memory.ownerOf(address(2)), undefined);
});

test("AddressMemory.onChange() tells of changes alone, until it is disposed", () => {
  const memory = new AddressMemory();
  let changes = 0;
  const subscription = memory.onChange(() => changes++);
  memory.remember(a, address(1));
  memory.remember(a, address(1));
  memory.addressOf(a);
  memory.forget(b, address(2));
  assert.equal(changes, 1);
  memory.forget(a, address(2));
  assert.equal(changes, 2);
  subscription[Symbol.dispose]();
  memory.remember(b, address(1));
  assert.equal(changes, 2);
});

test("AddressBook gives every service its old address with what it remembered, whatever the order", () => {
  const services = keys(20);
  const options = { range: parseLoopbackRange("127.1.0.0/27"), clusterUrl: "https://c/" };
  const order = fc.shuffledSubarray([...services], { minLength: services.length });
  fc.assert(
    fc.property(order, order, (first, second) => {
      const memory = new AddressMemory();
      const before = new AddressBook({ ...options, memory });
      const given = new Map(first.map((key) => [key, before.allocate(key)]));
      const after = new AddressBook({ ...options, memory: new AddressMemory(memory.entries) });
      for (const key of second) assert.equal(after.allocate(key), given.get(key));
    }),
  );
});

test("AddressBook gives a service that was moved its address again though the clash is over", () => {
  const memory = new AddressMemory();
  const book = new AddressBook({ range: parseLoopbackRange("127.1.0.0/28"), clusterUrl: "https://c/", memory });
  const services = keys(12);
  for (const key of services) book.allocate(key);
  const moved = memory.entries;
  assert.ok(moved.length > 0);
  for (const key of services) book.release(key);
  for (const [key, given] of moved) assert.equal(book.allocate(key), given);
});

test("AddressBook keeps the place of an absent service free, unless nothing else is left", () => {
  const kept: readonly [ServiceKey, LoopbackAddress] = [serviceKey("shop", "absent"), address(0)];
  const memory = new AddressMemory([kept]);
  const book = new AddressBook({ range: parseLoopbackRange("127.1.0.0/30"), clusterUrl: "https://c/", memory });
  const [one, two, three, four] = keys(4);
  assert.ok(one !== undefined && two !== undefined && three !== undefined && four !== undefined);
  assert.ok(![one, two, three].map((key) => book.allocate(key)).includes(kept[1]));
  assert.equal(book.allocate(four), kept[1]);
  assert.notEqual(memory.ownerOf(kept[1]), kept[0]);
});

test("AddressBook takes no remembered address that is outside of its range or somebody's", () => {
  const far = "127.9.9.9";
  assert.ok(isLoopbackAddress(far));
  const memory = new AddressMemory([
    [a, far],
    [b, address(1)],
  ]);
  const options = { range: parseLoopbackRange("127.1.0.0/24"), clusterUrl: "https://c/", memory };
  const book = new AddressBook({ ...options, taken: new Set([address(1)]) });
  assert.match(book.allocate(a), /^127\.1\.0\./);
  assert.notEqual(book.allocate(b), address(1));
  assert.ok(!memory.entries.some(([, remembered]) => remembered === far || remembered === address(1)));
});
