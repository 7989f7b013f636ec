/** What the pools of many pods do to each other where the limits of the process are reached. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { pong, pooledPods, shopPod } from "../../test/support/pooled-pods.ts";
import { codeOf } from "../errors.ts";
import type { PodRef } from "../model/endpoint.ts";
import { defaultPoolOptions } from "./pool-options.ts";

const never = new AbortController().signal;
const pod = (uid: string, node?: string): PodRef => ({ ...shopPod, uid, ...(node === undefined ? {} : { node }) });

test("openPodDialer() shares connections when no more can be made in all, and keeps no pod out", async () => {
  const { dial, made, clock, gate } = pooledPods({ spareMs: 0 });
  gate.answersPings = true;
  gate.acceptsStreams = true;
  const { connections } = defaultPoolOptions;
  const streams = [];
  // Five pods with long-lived connections each, more than there may be in all; one comes last.
  for (let at = 0; at < 300; at++) {
    const waiting = dial(never, pod(`p${Math.floor(at / 60)}`));
    await turns();
    await clock.advance(100);
    streams.push(await waiting);
  }
  assert.equal(streams.length, 300);
  assert.ok(made.length <= connections, `${made.length}`);
  const late = dial(never, pod("late"));
  await turns();
  assert.equal((await late).destroyed, false);
});

test("openPodDialer() says that a limit is reached before a tunnel's patience of 5 s ends", async () => {
  const { dial, clock } = pooledPods({ spareMs: 0, streamsPerNode: 1 });
  await dial();
  const second = dial();
  second.catch(() => {});
  await clock.advance(4_499);
  await clock.advance(2);
  await assert.rejects(second, { code: "unavailable", message: /the limit of 1 streams? to the pods of a node/ });
});

test("openPodDialer() counts the streams of all pods of a node, and of no other", async () => {
  const { dial, runtime, clock } = pooledPods({ spareMs: 0, streamsPerNode: 2 });
  const first = await dial(never, pod("a", "n1"));
  await dial(never, pod("b", "n1"));
  assert.equal((await dial(never, pod("c", "n2"))).destroyed, false);
  const third = dial(never, pod("d", "n1"));
  await turns();
  first.write("x");
  await turns();
  const { dataId, errorId } = await runtime(0).takePair();
  runtime(0).fin(dataId, errorId);
  await pong(runtime(0));
  first.destroy();
  await clock.advance(0);
  assert.equal((await third).destroyed, false);
});

test("openPodDialer() gives up an upload whose sender has left when somebody who is there needs the room", async () => {
  const { dial, made } = pooledPods({ spareMs: 0, connections: 1 });
  const upload = await dial(never, pod("slow"));
  upload.write(Buffer.alloc(200_000));
  await turns();
  upload.destroy();
  await turns();
  made[0]?.connection.condemn("its pod has left");
  assert.equal(made[0]?.connection.closed.aborted, false, "what was sent is still on its way");
  const other = await dial(never, pod("well"));
  assert.equal(other.destroyed, false);
  assert.equal(made[0]?.connection.closed.aborted, true);
});

test("openPodDialer() makes four dials that hang to a pod, not one more for each who waits", async () => {
  const { dial, gate, clock } = pooledPods({ spareMs: 0 });
  const answered = Promise.withResolvers<void>();
  gate.wait = answered.promise;
  let dials = 0;
  const wait = gate.wait;
  Object.defineProperty(gate, "wait", {
    get() {
      dials++;
      return wait;
    },
  });
  const waiting = Array.from({ length: 3 }, () => dial());
  await clock.advance(2_001);
  waiting.push(dial());
  await clock.advance(2_001);
  waiting.push(dial(), dial());
  await turns();
  assert.ok(dials <= 7, `${dials} dials`);
  answered.resolve();
  await turns(20);
  await clock.advance(200);
  const results = await Promise.allSettled(waiting);
  assert.deepEqual(
    results.map((result) => (result.status === "rejected" ? codeOf(result.reason) : "served")),
    Array.from({ length: 6 }, () => "served"),
  );
});

test("openPodDialer() shares what there is while dials hang", async () => {
  const { dial, made, gate, clock } = pooledPods({ spareMs: 0, slowDialsPerPod: 1 });
  gate.answersPings = true;
  await dial();
  gate.wait = new Promise(() => {});
  const second = dial();
  await clock.advance(2_001);
  const stream = await second;
  assert.deepEqual([made.length, stream.destroyed], [1, false]);
});
