import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { EngineMemory, hiccupMemoryMs } from "./engine-memory.ts";

test("EngineMemory knows nothing at first, then what worked, in every namespace", () => {
  const memory = new EngineMemory(new FakeClock());
  assert.equal(memory.engineFor("shop"), undefined);
  memory.remember("shop", "websocket", ["way", "way"]);
  assert.equal(memory.engineFor("shop"), "websocket");
  assert.equal(memory.engineFor("bank"), "websocket");
});

test("EngineMemory keeps what rights want in one namespace apart", () => {
  const memory = new EngineMemory(new FakeClock());
  memory.remember("shop", "post-spdy", []);
  memory.remember("bank", "get-spdy", ["verb"]);
  assert.deepEqual([memory.engineFor("shop"), memory.engineFor("bank")], ["post-spdy", "get-spdy"]);
  assert.equal(memory.engine, "post-spdy");
  memory.remember("shop", "websocket", ["way"]);
  assert.equal(memory.engineFor("bank"), "websocket");
});

test("EngineMemory asks anew some time after what may have been a hiccup", async () => {
  const clock = new FakeClock();
  const memory = new EngineMemory(clock);
  memory.remember("shop", "websocket", ["passing", "way"]);
  await clock.advance(hiccupMemoryMs - 1);
  assert.equal(memory.engineFor("shop"), "websocket");
  await clock.advance(1);
  assert.equal(memory.engineFor("shop"), undefined);
  assert.equal(memory.engine, "websocket");
});

test("EngineMemory.clear() forgets all and counts", () => {
  const memory = new EngineMemory(new FakeClock());
  memory.remember("shop", "get-spdy", ["verb"]);
  memory.remember("bank", "post-spdy", ["verb"]);
  memory.clear();
  assert.deepEqual([memory.engineFor("shop"), memory.engineFor("bank"), memory.round], [undefined, undefined, 1]);
});
