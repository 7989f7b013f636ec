import assert from "node:assert/strict";
import { test } from "node:test";
import { effectOf, type LoggedRequest } from "./request-log.ts";

const answered = (startedMs: number, by: string): LoggedRequest => ({ startedMs, endedMs: startedMs + 5, by });
const failed = (startedMs: number, endedMs: number, failure: string): LoggedRequest => ({
  ...{ startedMs, endedMs, failure },
});
const isLocal = (name: string) => name === "local";

test("effectOf() gives the time to the first answer of those wanted, whoever answers after it", () => {
  const requests = [answered(90, "local"), answered(100, "pod"), answered(150, "local"), answered(200, "pod")];
  assert.equal(effectOf(requests, { sinceMs: 100, untilMs: 1_000, by: isLocal }).firstMs, 55);
});

test("effectOf() knows when none of those wanted answered in time", () => {
  const requests = [answered(100, "pod"), answered(1_500, "local")];
  assert.equal(effectOf(requests, { sinceMs: 100, untilMs: 1_000, by: isLocal }).firstMs, undefined);
});

test("effectOf() counts failures that were under way in that time, and names each reason once", () => {
  const requests = [
    failed(10, 20, "EARLY"),
    failed(80, 120, "ECONNRESET"),
    failed(200, 210, "ECONNREFUSED"),
    failed(900, 11_000, "ECONNREFUSED"),
    failed(1_000, 1_010, "LATE"),
  ];
  const effect = effectOf(requests, { sinceMs: 100, untilMs: 1_000, by: isLocal });
  assert.deepEqual([effect.failed, effect.reasons], [3, ["ECONNRESET", "ECONNREFUSED"]]);
});
