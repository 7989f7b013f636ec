/** What a pool shows of back-pressure. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { pooledPods } from "../../test/support/pooled-pods.ts";

const noSpare = { spareMs: 0 };

test("PodDialer.stats() counts streams whose reader is behind, until they are read", async () => {
  const { dial, runtime, dialer } = pooledPods(noSpare);
  const stream = await dial();
  stream.write("question");
  const { dataId } = await runtime(0).takePair();
  runtime(0).say(dataId, "x".repeat(200_000));
  await turns();
  assert.deepEqual([dialer.stats()[0]?.paused, dialer.stats()[0]?.backlogged], [1, 0]);
  stream.resume();
  await turns();
  assert.equal(dialer.stats()[0]?.paused, 0);
  await dialer[Symbol.asyncDispose]();
});

test("PodDialer.stats() counts connections that take our bytes too slowly, until they take them", async () => {
  const { dial, runtime, dialer } = pooledPods(noSpare);
  const stream = await dial();
  runtime(0).socket.pause();
  stream.write(Buffer.alloc(1_000_000));
  await turns();
  assert.deepEqual([dialer.stats()[0]?.paused, dialer.stats()[0]?.backlogged], [0, 1]);
  runtime(0).socket.resume();
  await turns(200);
  assert.equal(dialer.stats()[0]?.backlogged, 0);
  await dialer[Symbol.asyncDispose]();
});
