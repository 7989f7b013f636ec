import assert from "node:assert/strict";
import { test } from "node:test";
import { isPort, port } from "./port.ts";

test("isPort() accepts the integers from 1 to 65535", () => {
  assert.deepEqual([1, 80, 65_535].filter(isPort), [1, 80, 65_535]);
  const wrong = [0, -1, 65_536, 80.5, Number.NaN, Number.POSITIVE_INFINITY, "80", 80n, null, undefined];
  assert.deepEqual(wrong.filter(isPort), []);
});

test("port() gives the number back or throws usage with the value", () => {
  assert.equal(port(8080), 8080);
  assert.throws(() => port("http"), { code: "usage", message: 'Cannot use "http" as a port: want 1 to 65535' });
});
