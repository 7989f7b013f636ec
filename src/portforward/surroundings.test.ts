import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { Surroundings } from "./surroundings.ts";

test("Surroundings counts sleep, once each time, and not what clocks lose in passing", async () => {
  const clock = new FakeClock();
  const surroundings = new Surroundings({ clock });
  clock.sleepOver(1_000);
  assert.equal(surroundings.look(), 0);
  clock.sleepOver(30_000);
  assert.equal(surroundings.look(), 1);
  assert.equal(surroundings.look(), 1);
  clock.sleepOver(30_000);
  assert.equal(surroundings.look(), 2);
});

test("Surroundings counts a changed network, and looks at it once a second at most", async () => {
  const clock = new FakeClock();
  let addresses = new Set(["10.0.0.1"]);
  let looks = 0;
  const look = () => {
    looks++;
    return addresses;
  };
  const surroundings = new Surroundings({ clock, addresses: look });
  assert.equal(surroundings.look(), 0);
  addresses = new Set(["10.0.0.1", "10.8.0.1"]);
  assert.equal(surroundings.look(), 0);
  await clock.advance(1_000);
  assert.equal(surroundings.look(), 1);
  await clock.advance(1_000);
  assert.equal(surroundings.look(), 1);
  addresses = new Set(["10.8.0.1"]);
  await clock.advance(1_000);
  assert.equal(surroundings.look(), 2);
  assert.equal(looks, 4);
  assert.deepEqual(
    ["10.0.0.1", "10.8.0.1", "::ffff:10.8.0.1", "127.0.0.1", "::1"].map((address) => surroundings.isOurs(address)),
    [false, true, true, true, true],
  );
});

test("Surroundings counts what others noticed, and takes every address for its own when it cannot see them", () => {
  const surroundings = new Surroundings({ clock: new FakeClock() });
  surroundings.changed();
  assert.equal(surroundings.look(), 1);
  assert.equal(surroundings.isOurs("10.0.0.1"), true);
});
