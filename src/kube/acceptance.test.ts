import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { Acceptance } from "./acceptance.ts";

test("Acceptance doubles the wait for every credential that is refused before it has served, up to 5 min", () => {
  const acceptance = new Acceptance(new FakeClock());
  const waits = Array.from({ length: 8 }, () => {
    acceptance.made();
    acceptance.used();
    return acceptance.refused() / 1000;
  });
  assert.deepEqual(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
  assert.equal(acceptance.isRefused, true);
});

test("Acceptance counts a credential once, however often it is refused", () => {
  const acceptance = new Acceptance(new FakeClock());
  acceptance.made();
  assert.deepEqual([acceptance.refused(), acceptance.refused()], [5_000, 0]);
  acceptance.made();
  assert.equal(acceptance.refused(), 10_000);
});

test("Acceptance starts afresh when one was in use for a minute without a refusal, not when it lay idle", async () => {
  const clock = new FakeClock();
  const acceptance = new Acceptance(clock);
  acceptance.made();
  acceptance.refused();
  acceptance.made();
  await clock.advance(60_000);
  assert.equal(acceptance.isRefused, true);
  acceptance.used();
  await clock.advance(59_999);
  acceptance.used();
  assert.equal(acceptance.isRefused, true);
  await clock.advance(1);
  assert.equal(acceptance.isRefused, false);
  assert.equal(acceptance.refused(), 0);
  acceptance.made();
  assert.equal(acceptance.refused(), 5_000);
});
