import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError } from "../errors.ts";
import { EngineMemory, hiccupMemoryMs } from "./engine-memory.ts";
import { brokenOff, type UpgradeRefusal, wrongProtocol } from "./upgrade-refusal.ts";

const way = wrongProtocol("it switches to nothing");
const hiccup = brokenOff("socket hang up");
const silence = brokenOff("no answer", "timeout");
const verb: UpgradeRefusal = { sign: "verb", error: new LocalizerError("denied", "No right") };
const shop = { namespace: "shop", uid: "s1" };
const shop2 = { namespace: "shop", uid: "s2" };
const shop3 = { namespace: "shop", uid: "s3" };
const bank = { namespace: "bank", uid: "b1" };

test("EngineMemory knows nothing at first, then what worked, in every namespace", () => {
  const memory = new EngineMemory(new FakeClock());
  assert.equal(memory.engineFor(shop), undefined);
  memory.remember(shop, "websocket", [way, way]);
  assert.equal(memory.engineFor(shop), "websocket");
  assert.equal(memory.engineFor(bank), "websocket");
});

test("EngineMemory keeps what rights want in one namespace apart, whatever else was refused there", () => {
  const memory = new EngineMemory(new FakeClock());
  memory.remember(shop, "post-spdy", []);
  memory.remember(bank, "get-spdy", [verb]);
  assert.deepEqual([memory.engineFor(shop), memory.engineFor(bank)], ["post-spdy", "get-spdy"]);
  memory.remember(bank, "v4", [verb, way, hiccup]);
  assert.deepEqual([memory.engineFor(shop), memory.engineFor(bank)], ["post-spdy", "v4"]);
  assert.equal(memory.engine, "post-spdy");
  memory.remember(shop, "websocket", [way]);
  assert.equal(memory.engineFor(bank), "websocket");
});

test("EngineMemory knows nothing of other namespaces from one whose rights chose first", () => {
  const memory = new EngineMemory(new FakeClock());
  memory.remember(bank, "get-spdy", [verb]);
  assert.deepEqual([memory.engineFor(bank), memory.engineFor(shop)], ["get-spdy", undefined]);
  assert.deepEqual([memory.engineIn("bank"), memory.engineIn("shop")], ["get-spdy", undefined]);
  assert.equal(memory.engine, "get-spdy");
});

test("EngineMemory asks anew some time after what may have been a hiccup, in a namespace and in the cluster", async () => {
  const clock = new FakeClock();
  const memory = new EngineMemory(clock);
  memory.remember(shop, "websocket", [hiccup, way]);
  memory.remember(bank, "v4", [verb, hiccup]);
  await clock.advance(hiccupMemoryMs - 1);
  assert.deepEqual([memory.engineFor(shop), memory.engineFor(bank)], ["websocket", "v4"]);
  await clock.advance(1);
  assert.deepEqual([memory.engineFor(shop), memory.engineFor(bank)], [undefined, undefined]);
  assert.equal(memory.engine, "websocket");
});

test("EngineMemory takes silence for the pod's, until another pod keeps silent too", () => {
  const memory = new EngineMemory(new FakeClock());
  memory.remember(shop, "post-spdy", []);
  memory.remember(shop2, "get-spdy", [silence]);
  memory.remember(shop2, "get-spdy", [silence]);
  memory.remember(bank, "websocket", [silence, silence]);
  assert.deepEqual(
    [shop, shop2, shop3, bank].map((pod) => memory.engineFor(pod)),
    ["post-spdy", "get-spdy", "post-spdy", "websocket"],
  );
  assert.equal(memory.engine, "post-spdy");
  memory.remember(shop3, "get-spdy", [silence]);
  assert.deepEqual(
    [shop, shop2, shop3, bank].map((pod) => memory.engineFor(pod)),
    ["get-spdy", "get-spdy", "get-spdy", "get-spdy"],
  );
});

test("EngineMemory takes silence for the pod's though others keep silent, where the cluster's engine worked since", () => {
  const memory = new EngineMemory(new FakeClock());
  memory.remember(shop, "post-spdy", []);
  memory.remember(shop2, "get-spdy", [silence]);
  memory.worked("get-spdy");
  memory.worked("post-spdy");
  memory.remember(shop3, "get-spdy", [silence]);
  assert.deepEqual([memory.engineFor(shop), memory.engineFor(shop3)], ["post-spdy", "get-spdy"]);
});

test("EngineMemory forgets a pod's silence after a while", async () => {
  const clock = new FakeClock();
  const memory = new EngineMemory(clock);
  memory.remember(shop, "post-spdy", []);
  memory.remember(shop2, "get-spdy", [silence]);
  await clock.advance(hiccupMemoryMs);
  assert.equal(memory.engineFor(shop2), "post-spdy");
  memory.remember(shop3, "get-spdy", [silence]);
  assert.equal(memory.engineFor(shop), "post-spdy");
});

test("EngineMemory.clear() forgets all and counts", () => {
  const memory = new EngineMemory(new FakeClock());
  memory.remember(shop, "get-spdy", [way]);
  memory.remember(bank, "post-spdy", [verb]);
  memory.remember(shop2, "websocket", [silence]);
  memory.clear();
  assert.deepEqual([memory.engineFor(shop), memory.engineFor(bank), memory.engineFor(shop2)], Array(3).fill(undefined));
  assert.equal(memory.round, 1);
});
