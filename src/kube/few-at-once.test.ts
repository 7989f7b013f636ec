import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fewAtOnce } from "./few-at-once.ts";

describe("fewAtOnce()", () => {
  it("gives the answers in order, and never runs more than it may", async () => {
    let running = 0;
    let most = 0;
    const work = async (item: number) => {
      most = Math.max(most, ++running);
      for (let turn = 0; turn < 5 - item; turn++) await Promise.resolve();
      running--;
      return item * 2;
    };
    assert.deepEqual(await fewAtOnce([0, 1, 2, 3, 4], 2, work), [0, 2, 4, 6, 8]);
    assert.equal(most, 2);
  });

  it("begins nothing after a failure", async () => {
    const begun: number[] = [];
    const work = async (item: number) => {
      begun.push(item);
      await Promise.resolve();
      throw new Error(`no ${item}`);
    };
    await assert.rejects(fewAtOnce([0, 1, 2, 3], 2, work), /no 0/);
    assert.deepEqual(begun, [0, 1]);
  });

  it("gives nothing for nothing", async () => {
    assert.deepEqual(await fewAtOnce([], 3, async () => 1), []);
  });
});
