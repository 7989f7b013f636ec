import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDuration } from "./duration.ts";

describe("parseDuration()", () => {
  for (const [text, ms] of [
    ["500ms", 500],
    ["30s", 30_000],
    ["2m", 120_000],
    ["1.5m", 90_000],
    ["1h30m", 5_400_000],
    ["45", 45_000],
    ["0.25", 250],
    ["0", 0],
    ["576h", 2_073_600_000],
  ] as const) {
    it(`reads ${text}`, () => assert.equal(parseDuration(text, "timeout"), ms));
  }

  for (const text of ["", "soon", "s", "-3s", "3 s", "3d", "1m2", "1e3", "30S", "600h", "9".repeat(400)]) {
    it(`refuses "${text.slice(0, 20)}" and names the flag`, () => {
      assert.throws(() => parseDuration(text, "timeout"), { code: "usage", message: /" for --timeout: want / });
    });
  }
});
