import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { StartLimit } from "./start-limit.ts";

test("StartLimit counts the time in which it runs, without that of other work", async () => {
  const clock = new FakeClock();
  const limit = new StartLimit(clock, 100, "Late");
  await clock.advance(1_000);
  using _running = limit.run();
  await clock.advance(60);
  const failing = () => clock.advance(1_000).then(() => Promise.reject(new Error("So it is")));
  await assert.rejects(limit.without(failing), /So it is/);
  await clock.advance(39);
  assert.equal(await limit.without(async () => 7), 7);
  assert.equal(limit.signal.aborted, false);
  await clock.advance(1);
  assert.throws(() => limit.signal.throwIfAborted(), { code: "timeout", message: "Late" });
});

test("StartLimit fires no more once it is over", async () => {
  const clock = new FakeClock();
  const limit = new StartLimit(clock, 100, "Late");
  limit.run()[Symbol.dispose]();
  await clock.advance(1_000);
  assert.deepEqual([limit.signal.aborted, clock.pending], [false, 0]);
});
