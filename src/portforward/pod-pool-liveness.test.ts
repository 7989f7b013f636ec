/** What the pool does when packets vanish, the machine sleeps or its network changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { endPair, pong, pooledPods } from "../../test/support/pooled-pods.ts";
import { codeOf, LocalizerError } from "../errors.ts";

type Pods = ReturnType<typeof pooledPods>;

/** Second by second, as time goes by; says after how many the condition held first. */
async function seconds({ clock }: Pods, most: number, isOver: () => boolean = () => false): Promise<number> {
  for (let second = 1; second <= most; second++) {
    await clock.advance(1_000);
    await turns(4);
    if (isOver()) return second;
  }
  return Number.POSITIVE_INFINITY;
}

/** Streams in use, the pings answered, some seconds old. */
async function inUse(pods: Pods) {
  pods.gate.answersPings = true;
  pods.gate.acceptsStreams = true;
  const stream = await pods.dial();
  stream.write("x");
  await seconds(pods, 30);
  return stream;
}

test("PodPool notices within 15 s that nothing comes on a connection in use, and not before 8 s", async () => {
  for (let phase = 0; phase < 5; phase++) {
    const pods = pooledPods({ spareMs: 0 });
    const stream = await inUse(pods);
    await seconds(pods, phase);
    pods.runtime(0).answersPings = false;
    const noticed = await seconds(pods, 60, () => stream.destroyed);
    assert.ok(noticed >= 8 && noticed <= 15, `after ${noticed} s`);
    assert.equal(codeOf(stream.errored), "unavailable");
  }
});

test("PodPool waits for an application that does not read, for ever, and not for a black hole behind it", async () => {
  const pods = pooledPods({ spareMs: 0 });
  const stream = await inUse(pods);
  pods.runtime(0).answersPings = false;
  pods.runtime(0).socket.pause();
  stream.write(Buffer.alloc(1_000_000));
  assert.equal(await seconds(pods, 120, () => stream.destroyed), Number.POSITIVE_INFINITY);
  pods.gate.path = "dead";
  const noticed = await seconds(pods, 60, () => stream.destroyed);
  assert.ok(noticed >= 6 && noticed <= 15, `after ${noticed} s`);
});

test("PodPool forgives an upload a path that was dead for a moment", async () => {
  const pods = pooledPods({ spareMs: 0 });
  const stream = await inUse(pods);
  pods.runtime(0).answersPings = false;
  pods.runtime(0).socket.pause();
  stream.write(Buffer.alloc(1_000_000));
  await seconds(pods, 20);
  for (let time = 0; time < 5; time++) {
    pods.gate.path = "dead";
    await seconds(pods, 5);
    pods.gate.path = "alive";
    await seconds(pods, 6);
  }
  assert.equal(stream.destroyed, false);
});

test("PodPool goes on pinging when answers to a proof are missing: a black hole later is noticed", async () => {
  const pods = pooledPods({ spareMs: 0, connectionsPerPod: 1, shareAfterMs: 0 });
  const first = await pods.dial();
  first.resume().write("x");
  const pair = await pods.runtime(0).takePair();
  await pods.runtime(0).take("data");
  const second = await pods.dial();
  const { dataId } = await pods.runtime(0).takePair();
  pods.runtime(0).send({ kind: "reply", streamId: dataId, fin: false });
  endPair(pods.runtime(0), pair);
  await pong(pods.runtime(0), 1);
  for (let second = 0; second < 40; second++) {
    await pods.clock.advance(1_000);
    await pong(pods.runtime(0), 1);
  }
  assert.equal(pods.made[0]?.connection.isHealthy, false);
  assert.equal(second.destroyed, false);
  const noticed = await seconds(pods, 60, () => second.destroyed);
  assert.ok(noticed <= 15, `after ${noticed} s`);
});

test("PodPool does not hand out an idle connection whose pings stay away, and closes it", async () => {
  const pods = pooledPods({ spareMs: 0 });
  pods.gate.answersPings = true;
  (await pods.dial()).destroy();
  await seconds(pods, 30);
  pods.runtime(0).answersPings = false;
  await seconds(pods, 8, () => pods.made[0]?.connection.isHealthy === false);
  await pods.dial();
  assert.equal(pods.made.length, 2);
  assert.ok((await seconds(pods, 8, () => pods.made[0]?.connection.closed.aborted === true)) <= 8);
});

test("PodPool makes a new connection 2 s after a stream that the runtime has not accepted, in silence", async () => {
  const pods = pooledPods({ spareMs: 0 });
  const lost = await pods.dial();
  lost.write("x");
  await pods.runtime(0).takePair();
  lost.destroy();
  await pong(pods.runtime(0));
  assert.equal(pods.made.length, 1);
  const hanging = await pods.dial();
  hanging.write("y");
  await seconds(pods, 3);
  assert.equal(pods.made[0]?.connection.isHealthy, false);
  await pods.dial();
  assert.equal(pods.made.length, 2);
  // It was only slow.
  await pong(pods.runtime(0));
  await seconds(pods, 1);
  assert.equal(pods.made[0]?.connection.isHealthy, true);
  assert.equal(hanging.destroyed, false);
});

test("PodPool fears nothing of a stream that was left before the runtime heard of it", async () => {
  const pods = pooledPods({ spareMs: 0 });
  pods.gate.answersPings = true;
  (await pods.dial()).destroy();
  await seconds(pods, 11);
  pods.runtime(0).answersPings = false;
  (await pods.dial()).destroy();
  await seconds(pods, 3);
  assert.equal(pods.made[0]?.connection.isHealthy, true);
});

test("PodPool dials again where a dial hangs for 2 s, for who waits and for who comes", async () => {
  const pods = pooledPods({ spareMs: 0 });
  const hole = Promise.withResolvers<void>();
  pods.gate.wait = hole.promise;
  const first = pods.dial();
  await turns();
  pods.gate.wait = undefined;
  await pods.clock.advance(1_999);
  assert.equal(pods.made.length, 0);
  await pods.clock.advance(1);
  await first;
  await pods.dial();
  assert.equal(pods.made.length, 2);
  // The one that hung comes late, and is of use.
  hole.resolve();
  await turns();
  await pods.dial();
  assert.equal(pods.made.length, 3);
  await pods.dialer[Symbol.asyncDispose]();
  assert.equal(pods.clock.pending, 0);
});

test("PodPool says that a connection was closed before it came, pauses before the next, and makes no spare", async () => {
  const pods = pooledPods({ earlyEndMs: 100, earlyEndMostMs: 300 });
  pods.gate.endsEarly = true;
  await assert.rejects(pods.dial(), { code: "unavailable" });
  for (const [index, pauseMs] of [100, 200, 300, 300].entries()) {
    const next = assert.rejects(pods.dial(), { code: "unavailable" });
    await pods.clock.advance(pauseMs - 1);
    assert.equal(pods.made.length, index + 1);
    await pods.clock.advance(1);
    await next;
  }
  pods.gate.endsEarly = false;
  const served = pods.dial();
  await pods.clock.advance(300);
  await served;
});

test("PodPool closes what is idle when the machine wakes, pings what is in use and waits for it 5 s at most", async () => {
  const pods = pooledPods({ spareMs: 0 });
  const stream = await inUse(pods);
  const living = await pods.dial();
  living.write("y");
  (await pods.dial()).destroy();
  await turns();
  const [dead, alive, idle] = pods.made;
  pods.runtime(0).answersPings = false;
  pods.clock.sleepOver(60_000);
  await seconds(pods, 1);
  assert.equal(idle?.connection.closed.aborted, true);
  await seconds(pods, 1);
  assert.equal(dead?.connection.isHealthy, false);
  assert.equal(alive?.connection.isHealthy, true);
  const noticed = await seconds(pods, 10, () => stream.destroyed);
  assert.ok(noticed <= 3, `after ${noticed} s more`);
  assert.equal(living.destroyed, false);
});

test("PodPool loses a stuck upload soon after waking when the path is dead, and keeps it when not", async () => {
  for (const path of ["dead", "alive"] as const) {
    const pods = pooledPods({ spareMs: 0 });
    const stream = await inUse(pods);
    pods.runtime(0).answersPings = false;
    pods.runtime(0).socket.pause();
    stream.write(Buffer.alloc(1_000_000));
    await seconds(pods, 20);
    pods.gate.path = path;
    pods.clock.sleepOver(60_000);
    const noticed = await seconds(pods, 30, () => stream.destroyed);
    assert.ok(path === "dead" ? noticed <= 6 : noticed === Number.POSITIVE_INFINITY, `${path}: after ${noticed} s`);
  }
});

test("PodPool treats another network as waking, at the next look", async () => {
  const pods = pooledPods({ spareMs: 0 });
  const stream = await inUse(pods);
  (await pods.dial()).destroy();
  await turns();
  pods.runtime(0).answersPings = false;
  pods.gate.addresses = new Set(["192.168.0.7"]);
  await seconds(pods, 1);
  assert.equal(pods.made[1]?.connection.closed.aborted, true);
  assert.ok((await seconds(pods, 10, () => stream.destroyed)) <= 5);
});

test("PodPool takes no bytes that were there before the alarm for a sign of life", async () => {
  const pods = pooledPods({ spareMs: 0 });
  const stream = await inUse(pods);
  stream.resume();
  pods.runtime(0).answersPings = false;
  pods.clock.sleepOver(60_000);
  await seconds(pods, 1);
  pods.runtime(0).say(3, "from before");
  assert.ok((await seconds(pods, 10, () => stream.destroyed)) <= 5);
});

test("PodPool tells who waits of a dial that was refused beside one that hangs, and does not try at once again", async () => {
  const pods = pooledPods({ spareMs: 0 });
  const hole = Promise.withResolvers<void>();
  pods.gate.wait = hole.promise;
  const waiting = assert.rejects(pods.dial(), { message: "refused" });
  await turns();
  pods.gate.wait = undefined;
  pods.gate.failure = new LocalizerError("unavailable", "refused");
  await pods.clock.advance(2_000);
  await waiting;
  assert.equal(pods.dialer.stats()[0]?.dialling, 1);
});
