import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { endPair, pong, pooledPods, shopPod } from "../../test/support/pooled-pods.ts";
import { refusedText } from "../../test/support/runtime-texts.ts";
import { codeOf, LocalizerError } from "../errors.ts";

/** Without a spare, so that connections can be counted. */
const noSpare = { spareMs: 0 };

test("openPodDialer() opens nothing before the first dial and takes a connection that nobody uses", async () => {
  const { dial, made, runtime, dialer, clock } = pooledPods(noSpare);
  assert.deepEqual([made.length, clock.pending], [0, 0]);
  const first = await dial();
  first.write("one");
  first.destroy();
  await pong(runtime(0));
  const second = await dial();
  second.write("two");
  assert.equal(made.length, 1);
  const { dataId } = await runtime(0).takePair();
  assert.equal(dataId, 7);
  await dialer[Symbol.asyncDispose]();
  assert.equal(clock.pending, 0);
});

test("openPodDialer() sends SYN, SYN and the first bytes in one write, and the SYNs alone after 2 ms", async () => {
  const { dial, runtime, clock } = pooledPods(noSpare);
  const stream = await dial();
  const write = once(runtime(0).socket, "data");
  stream.write("hello");
  await write;
  assert.deepEqual(
    runtime(0).frames.map(({ kind }) => kind),
    ["syn", "syn", "data"],
  );
  const silent = await dial();
  await clock.advance(2);
  await turns();
  assert.deepEqual(
    runtime(1).frames.map(({ kind }) => kind),
    ["syn", "syn"],
  );
  assert.equal(silent.destroyed, false);
});

test("openPodDialer() says nothing to the runtime of a stream that is left before it spoke", async () => {
  const { dial, runtime, made, clock } = pooledPods(noSpare);
  const stream = await dial();
  stream.destroy();
  await turns();
  assert.deepEqual(runtime(0).frames, []);
  await dial();
  assert.equal(made.length, 1);
  // Only the look at health and the new stream's SYNs.
  assert.equal(clock.pending, 2);
});

test("openPodDialer() gives a connection out again only when five pings are answered, though the last stream lingers", async () => {
  const { dial, made, runtime, dialer } = pooledPods(noSpare);
  const first = await dial();
  first.write("x");
  first.destroy();
  assert.equal(await pong(runtime(0), 1), 5);
  await dial();
  assert.equal(made.length, 2);
  const [stats] = dialer.stats();
  assert.deepEqual([stats?.connections, stats?.free, stats?.lingering], [2, 0, 1]);
});

test("openPodDialer() takes a connection whose local side has ended, not one whose local side is known to wait", async () => {
  for (const how of ["unknown", "half-closed"] as const) {
    const { dial, made, runtime } = pooledPods(noSpare);
    const first = await dial();
    first.end("question");
    await turns();
    if (how === "half-closed") first.localEnded?.(how);
    await pong(runtime(0));
    const second = await dial();
    second.write("at once");
    await turns();
    assert.equal(made.length, how === "unknown" ? 1 : 2);
    const last = made.at(-1)?.runtime.frames.map(({ kind }) => kind);
    assert.deepEqual(last, ["syn", "syn", "data"]);
    assert.equal(first.destroyed, false);
  }
});

test("openPodDialer() closes a connection whose worker is stuck: four of five pings answered after 2 s", async () => {
  const { dial, made, runtime, clock, dialer } = pooledPods(noSpare);
  const stream = await dial();
  stream.write("x");
  const pair = await runtime(0).takePair();
  endPair(runtime(0), pair);
  await pong(runtime(0), 1);
  await clock.advance(1_000);
  assert.equal(made[0]?.connection.closed.aborted, false);
  await clock.advance(2_000);
  assert.equal(made[0]?.connection.closed.aborted, true);
  assert.equal(dialer.stats().length <= 1, true);
});

test("openPodDialer() closes a connection after a refusal, and after a reset", async () => {
  for (const how of ["text", "reset"] as const) {
    const { dial, made, runtime } = pooledPods(noSpare);
    const stream = await dial();
    stream.write("too early");
    const { dataId, errorId } = await runtime(0).takePair();
    if (how === "reset") runtime(0).send({ kind: "reset", streamId: dataId, status: 5 });
    else {
      runtime(0).fin(dataId);
      runtime(0).say(errorId, refusedText, true);
    }
    await turns();
    assert.equal(codeOf(stream.errored), how === "reset" ? "unavailable" : "refused");
    assert.equal(made[0]?.connection.closed.aborted, true);
    await dial();
    assert.equal(made.length, 2);
  }
});

test("openPodDialer() closes a connection on which a text comes when its stream has been left", async () => {
  const { dial, made, runtime } = pooledPods(noSpare);
  const stream = await dial();
  stream.write("x");
  const { errorId } = await runtime(0).takePair();
  stream.destroy();
  await pong(runtime(0));
  runtime(0).say(errorId, "readfrom tcp4: write: broken pipe", true);
  await turns();
  assert.equal(made[0]?.connection.closed.aborted, true);
});

test("openPodDialer() cuts a download that was broken off by closing, whether its reader was behind or not", async () => {
  for (const isBehind of [true, false]) {
    const { dial, made, runtime } = pooledPods(noSpare);
    const stream = await dial();
    stream.write("x");
    const { dataId } = await runtime(0).takePair();
    const block = { kind: "data", streamId: dataId, fin: false, bytes: Buffer.alloc(65_000) } as const;
    if (isBehind) runtime(0).send(block, block);
    await turns();
    stream.destroy();
    if (!isBehind) runtime(0).send(block, block);
    await turns();
    assert.equal(made[0]?.connection.closed.aborted, true);
  }
});

test("openPodDialer() keeps a connection on which the pod only says goodbye", async () => {
  const { dial, made, runtime } = pooledPods(noSpare);
  const stream = await dial();
  stream.write("x");
  const pair = await runtime(0).takePair();
  stream.destroy();
  runtime(0).say(pair.dataId, "close notify");
  await pong(runtime(0));
  endPair(runtime(0), pair);
  await dial();
  assert.equal(made.length, 1);
});

test("openPodDialer() keeps one spare while the pod is in use, and none for a pod that fails", async () => {
  const { dial, made, clock, gate, dialer } = pooledPods();
  gate.answersPings = true;
  await dial();
  await turns();
  assert.equal(made.length, 2);
  gate.failure = new LocalizerError("unavailable", "no node");
  // Takes the spare; the next one cannot be had, and is not asked for again and again.
  await dial();
  await turns();
  gate.failure = undefined;
  await clock.advance(3_000);
  const [stats] = dialer.stats();
  assert.deepEqual([stats?.connections, stats?.dialling, stats?.free], [2, 0, 0]);
  await dialer[Symbol.asyncDispose]();
  assert.equal(clock.pending, 0);
});

test("openPodDialer() closes what is idle after 60 s, the spare after 5 min, and looks no more", async () => {
  const { dial, made, clock, gate } = pooledPods();
  gate.answersPings = true;
  const stream = await dial();
  stream.destroy();
  for (let second = 0; second < 302; second++) {
    await clock.advance(1_000);
    await turns(4);
  }
  assert.ok(made.every(({ connection }) => connection.closed.aborted));
  assert.equal(clock.pending, 0);
});

test("openPodDialer() serves who waits for a dial with what becomes free before", async () => {
  const { dial, made, runtime, gate } = pooledPods(noSpare);
  const first = await dial();
  first.write("x");
  gate.wait = new Promise(() => {});
  const waiting = dial();
  await turns();
  first.destroy();
  await pong(runtime(0));
  await waiting;
  assert.equal(made.length, 1);
});

test("openPodDialer() tells who waits why the dial failed, and forgets the pod", async () => {
  const { dial, gate, dialer, clock } = pooledPods();
  gate.failure = new LocalizerError("gone", "no such pod");
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => dial()));
  for (const result of results) assert.equal(result.status === "rejected" && codeOf(result.reason), "gone");
  await clock.advance(1_000);
  assert.deepEqual(dialer.stats(), []);
  assert.equal(clock.pending, 0);
});

test("openPodDialer() asks again at the next dial, after a pod was gone", async () => {
  const { dial, gate } = pooledPods();
  gate.failure = new LocalizerError("gone", "no such pod");
  await assert.rejects(dial(), { code: "gone" });
  await assert.rejects(dial(), { code: "gone" });
});

test("openPodDialer() gives no connection out that a slow reader of an ended stream has paused", async () => {
  const { dial, made, runtime } = pooledPods(noSpare);
  const slow = await dial();
  slow.end("question");
  const { dataId } = await runtime(0).takePair();
  await pong(runtime(0));
  const block = { kind: "data", streamId: dataId, fin: false, bytes: Buffer.alloc(65_000) } as const;
  runtime(0).send(block, block);
  await turns();
  await dial();
  assert.equal(made.length, 2);
});

test("openPodDialer() throws `aborted` at once when the signal fires, and after it was disposed", async () => {
  const { dial, gate, dialer } = pooledPods();
  gate.wait = new Promise(() => {});
  const stop = new AbortController();
  const waiting = dial(stop.signal);
  stop.abort();
  await assert.rejects(waiting, { code: "aborted" });
  const other = dial();
  const told = assert.rejects(other, { code: "aborted" });
  await dialer[Symbol.asyncDispose]();
  await told;
  await assert.rejects(dial(), { code: "aborted" });
});

test("PodDialer.retire() closes what is free at once, and the rest with its last stream", async () => {
  const { dial, made, runtime, dialer, clock } = pooledPods(noSpare);
  const [busy, idle] = [await dial(), await dial()];
  idle.destroy();
  dialer.retire(shopPod.uid);
  assert.deepEqual(
    made.map(({ connection }) => connection.closed.aborted),
    [false, true],
  );
  busy.write("x");
  const { dataId } = await runtime(0).takePair();
  runtime(0).say(dataId, "still here");
  const [text] = await once(busy, "data");
  assert.equal(String(text), "still here");
  busy.destroy();
  await pong(runtime(0));
  assert.equal(made[0]?.connection.closed.aborted, true);
  await clock.advance(1_000);
  assert.equal(clock.pending, 0);
});
