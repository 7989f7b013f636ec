/** What becomes of streams whose pod has left. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { pooledPods, shopPod } from "../../test/support/pooled-pods.ts";
import { codeOf, LocalizerError } from "../errors.ts";

const none = new LocalizerError("gone", 'pods "cart-0" not found');
const never = new AbortController().signal;

/** A pod with a stream in use, which has been accepted and answers pings. */
async function inUse(options = {}) {
  const pods = pooledPods({ spareMs: 0, ...options });
  pods.gate.answersPings = true;
  pods.gate.acceptsStreams = true;
  const stream = await pods.dial();
  stream.write("question");
  const { dataId } = await pods.runtime(0).takePair();
  /** Second by second; says after how many the stream was ended. */
  const ended = async (most: number, each: () => void = () => {}) => {
    for (let second = 1; second <= most; second++) {
      each();
      await pods.clock.advance(1_000);
      await turns(4);
      if (stream.destroyed) return second;
    }
    return Number.POSITIVE_INFINITY;
  };
  return { ...pods, stream, dataId, ended };
}

test("PodPool resets a stream to a pod that is gone when nothing was said on it for 5 s, as lost", async () => {
  const { dialer, gate, stream, ended, made } = await inUse();
  gate.failure = none;
  dialer.retire("u1");
  const after = await ended(60);
  assert.ok(after >= 5 && after <= 6, `after ${after} s`);
  // Not as gone: what was sent may have been delivered.
  assert.equal(codeOf(stream.errored), "unavailable");
  assert.match(String(stream.errored), /shop\/cart-0:80: the pod is gone/);
  assert.equal(made[0]?.connection.closed.aborted, true);
});

test("PodPool leaves a stream alone whose pod has only left its Services, and asks ever more seldom", async () => {
  const { dialer, ended, made, clock } = await inUse();
  dialer.retire("u1");
  assert.equal(await ended(60), Number.POSITIVE_INFINITY);
  // After 5, 10, 20, 40 s.
  assert.equal(made.length, 1 + 4);
  assert.ok(made.slice(1).every(({ connection }) => connection.closed.aborted));
  assert.equal(await ended(3_600), Number.POSITIVE_INFINITY);
  assert.ok(made.length <= 25, `${made.length}`);
  await dialer[Symbol.asyncDispose]();
  assert.equal(clock.pending, 0);
});

test("PodPool learns later that the pod is gone, and not from a dial that fails for another reason", async () => {
  const { dialer, gate, ended } = await inUse();
  gate.failure = new LocalizerError("unavailable", "no way to the API server");
  dialer.retire("u1");
  assert.equal(await ended(60), Number.POSITIVE_INFINITY);
  gate.failure = none;
  assert.ok((await ended(60)) <= 41);
});

test("PodPool resets no stream to a pod that is gone on which either side still speaks", async () => {
  for (const side of ["pod", "local"] as const) {
    const { dialer, gate, ended, runtime, stream, dataId } = await inUse();
    gate.failure = none;
    stream.resume();
    dialer.retire("u1");
    const speak = () => (side === "pod" ? runtime(0).say(dataId, "more") : stream.write("more"));
    assert.equal(await ended(30, speak), Number.POSITIVE_INFINITY, side);
    assert.ok((await ended(30)) <= 6, side);
  }
});

test("PodPool asks nobody while the streams of a pod that has left are not silent", async () => {
  const { dialer, ended, runtime, stream, dataId, made } = await inUse();
  stream.resume();
  dialer.retire("u1");
  await ended(30, () => runtime(0).say(dataId, "more"));
  assert.equal(made.length, 1);
});

test("PodPool waits for a local side that has not read yet what the pod said before it was gone", async () => {
  for (const bytes of [1_000, 100_000]) {
    const { dialer, gate, ended, runtime, stream, dataId } = await inUse();
    gate.failure = none;
    runtime(0).say(dataId, "x".repeat(bytes));
    await turns(4);
    dialer.retire("u1");
    assert.equal(await ended(60), Number.POSITIVE_INFINITY, `${bytes} bytes`);
    stream.resume();
    assert.ok((await ended(60)) <= 7, `${bytes} bytes`);
  }
});

test("PodPool takes a pod for gone when another of its name is dialled", async () => {
  const { dialer, dial, ended, stream } = await inUse();
  dialer.retire("u1");
  assert.equal(await ended(20), Number.POSITIVE_INFINITY);
  const next = await dial(never, { ...shopPod, uid: "u2" });
  assert.ok((await ended(60)) <= 1);
  assert.deepEqual([codeOf(stream.errored), next.destroyed], ["unavailable", false]);
});

test("PodPool does not take a pod for gone that comes back to a Service, nor for another of its namespace", async () => {
  const { dialer, dial, ended } = await inUse();
  dialer.retire("u1");
  await dial();
  await dial(never, { ...shopPod, name: "cart-1", uid: "u2" });
  await dial(never, { ...shopPod, namespace: "other", uid: "u3" });
  assert.equal(await ended(60), Number.POSITIVE_INFINITY);
});

test("PodPool needs no word of the slices when a dial does not find the pod", async () => {
  const { dial, gate, ended } = await inUse();
  gate.failure = none;
  await assert.rejects(dial(), { code: "gone" });
  const after = await ended(60);
  assert.ok(after >= 5 && after <= 6, `after ${after} s`);
});

test("PodPool keeps a stream that shares its connection with one that is reset", async () => {
  const { dialer, dial, gate, ended, runtime, stream } = await inUse({ connectionsPerPod: 1, shareAfterMs: 0 });
  const other = (await dial()).resume();
  gate.failure = none;
  dialer.retire("u1");
  assert.ok((await ended(60, () => runtime(0).say(7, "more"))) <= 6);
  assert.deepEqual([stream.destroyed, other.destroyed], [true, false]);
  runtime(0).fin(7, 5);
  await turns(4);
  assert.equal(other.errored, null);
});

test("PodPool that is asking while it is closed leaves nothing", async () => {
  const { dialer, gate, ended, clock, made } = await inUse();
  const answer = Promise.withResolvers<void>();
  gate.wait = answer.promise;
  dialer.retire("u1");
  await ended(8);
  await dialer[Symbol.asyncDispose]();
  answer.resolve();
  await turns(4);
  assert.equal(clock.pending, 0);
  assert.ok(made.every(({ connection }) => connection.closed.aborted));
});
