import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cartStats, quietPort, servedStats } from "../../test/rpc/fake-stats.ts";
import { bytesText, quantileText, statsTable } from "./stats-table.ts";

const nowMs = 1_790_000_000_500 + 125_000;

test("statsTable() prints a line for each port; what a service's ports share stands with the first", () => {
  const rows = statsTable([cartStats, servedStats("shop", "web")], nowMs)
    .split("\n")
    .map((line) => line.trimEnd().split(/ {3,}/));
  assert.deepEqual(rows, [
    [
      ...["NAMESPACE", "NAME", "PORT", "OPEN", "TOTAL", "UP", "DOWN", "P50", "P99", "RETRIES", "FAILED"],
      ...["SLOW", "BUFFERED", "POOL", "RTT", "LAST FAILURE"],
    ],
    [
      ...["shop", "cart", "80", "0", "1", "78B", "1.5KiB", "<=5ms", "<=5ms", "0", "0"],
      ...["0", "0B", "4 (2 free, 10 dialling, 12 waiting)", "1.5ms"],
    ],
    [
      ...["shop", "cart-0.cart", "443", "3", "17", "4.7GiB", "1.0MiB", "<=1ms", ">5ms", "4", "2"],
      ...["3", "192.0KiB", "2m ago: nothing listens there"],
    ],
    [
      ...["shop", "web", "80", "0", "1", "78B", "1.5KiB", "<=5ms", "<=5ms", "0", "0"],
      ...["0", "0B", "2 (1 free, 5 dialling, 6 waiting)", "1.5ms"],
    ],
    [""],
  ]);
});

test("statsTable() stays a line a port, whatever an error says, and knows no round trip without a ping", () => {
  const lastFailure = { message: "one\n\u001b[2Jtwo", code: "refused", pod: "", timeMs: nowMs + 5_000 };
  const text = statsTable([{ ...servedStats("shop", "web", { lastFailure }), pools: [] }], nowMs);
  assert.equal(text.split("\n").length, 3);
  assert.match(text, / 0 {3,}0s ago: one \[2Jtwo$/m);
});

test("quantileText() names the bound that the share stayed within, and nothing when nothing was observed", () => {
  assert.equal(quantileText({ ...quietPort.connectMs, counts: [0, 0, 0, 0] }, 0.5), "");
  const histogram = { bounds: [1, 10], counts: [50, 49, 1], sum: 0 };
  assert.deepEqual(
    [0.5, 0.51, 0.99, 0.995, 1].map((share) => quantileText(histogram, share)),
    ["<=1ms", "<=10ms", "<=10ms", ">10ms", ">10ms"],
  );
});

test("bytesText() has a number below 1024 and the unit that it takes", () => {
  assert.deepEqual([0, 1023, 1024, 1_048_524, 1_048_575, 2 ** 50].map(bytesText), [
    ...["0B", "1023B", "1.0KiB", "1023.9KiB", "1.0MiB", "1024.0TiB"],
  ]);
  fc.assert(
    fc.property(fc.nat(Number.MAX_SAFE_INTEGER), (bytes) => {
      const [, number, unit = ""] = /^([\d.]+)(B|KiB|MiB|GiB|TiB)$/.exec(bytesText(bytes)) ?? assert.fail();
      const size = 1024 ** ["B", "KiB", "MiB", "GiB", "TiB"].indexOf(unit);
      assert.ok(Math.abs(Number(number) * size - bytes) <= 0.051 * size);
    }),
  );
});
