import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { Affinity } from "./affinity.ts";

test("Affinity.podOf() names the pod of the caller's last connection for so long, counted from that one", async () => {
  const clock = new FakeClock();
  const affinity = new Affinity(clock);
  assert.equal(affinity.podOf("127.0.0.1", 1_000), undefined);
  affinity.remember("127.0.0.1", "a");
  await clock.advance(900);
  affinity.remember("127.0.0.1", "b");
  await clock.advance(1_000);
  assert.equal(affinity.podOf("127.0.0.1", 1_000), "b");
  assert.equal(affinity.podOf("127.0.0.2", 1_000), undefined);
  await clock.advance(1);
  assert.equal(affinity.podOf("127.0.0.1", 1_000), undefined);
});

test("Affinity.remember() forgets the caller who came longest ago when there are more than 1,024", () => {
  const affinity = new Affinity(new FakeClock());
  for (let caller = 0; caller < 1_024; caller++) affinity.remember(`${caller}`, "a");
  affinity.remember("0", "b");
  affinity.remember("1024", "a");
  assert.deepEqual(
    ["0", "1", "2", "1024"].map((caller) => affinity.podOf(caller, 1_000)),
    ["b", undefined, "a", "a"],
  );
});
