import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { statusError } from "./api-status.ts";
import { Retry, reflectorRetry } from "./retry.ts";

const most = () => 1;

test("Retry doubles from 0.8 s to 30 s", () => {
  const retry = new Retry(new FakeClock(), reflectorRetry, most);
  const waits = Array.from({ length: 8 }, () => retry.failed(undefined));
  assert.deepEqual(waits, [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
  assert.equal(retry.failures, 8);
});

test("Retry starts anew only after two minutes of working", async () => {
  const clock = new FakeClock();
  const retry = new Retry(clock, reflectorRetry, most);
  retry.failed(undefined);
  retry.working();
  await clock.advance(119_999);
  assert.equal(retry.failed(undefined), 1_600);
  retry.working();
  await clock.advance(60_000);
  retry.working();
  await clock.advance(60_000);
  assert.equal(retry.failed(undefined), 800);
});

test("Retry waits as long as the server asks, if that is more", () => {
  const retry = new Retry(new FakeClock(), reflectorRetry, most);
  assert.equal(retry.failed(statusError("Cannot list", 429, undefined, "5")), 5_000);
  assert.equal(retry.failed(statusError("Cannot list", 429, { details: { retryAfterSeconds: 1 } })), 1_600);
  assert.equal(retry.failed(statusError("Cannot list", 429, undefined, "Wed, 21 Oct 2026 07:28:00 GMT")), 3_200);
});

for (const [seconds, waitMs] of [
  [86_400, 300_000],
  [1e10, 300_000],
  [0, 800],
  [-5, 800],
] as const) {
  test(`Retry waits ${waitMs} ms when the server asks for ${seconds} s`, () => {
    const wait = (body: unknown, header?: string) =>
      new Retry(new FakeClock(), reflectorRetry, most).failed(statusError("Cannot list", 429, body, header));
    assert.equal(wait({ details: { retryAfterSeconds: seconds } }), waitMs);
    assert.equal(wait(undefined, String(seconds)), waitMs);
  });
}
