import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exitCodes } from "./exit-code.ts";

describe("exitCodes", () => {
  it("has the numbers that scripts know", () => {
    const { internal, usage, denied, timeout, conflict, unavailable } = exitCodes;
    const numbers = [internal, usage, exitCodes["no-daemon"], exitCodes["not-found"], denied, timeout, conflict];
    assert.deepEqual(numbers, [1, 2, 3, 4, 5, 6, 7]);
    assert.equal(unavailable, 1);
  });
});
