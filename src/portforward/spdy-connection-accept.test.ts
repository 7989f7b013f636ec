/** What becomes of a stream that the runtime does not accept. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { SpdyRuntime } from "../../test/support/spdy-runtime.ts";
import { codeOf } from "../errors.ts";
import { port } from "../model/port.ts";
import { defaultPoolOptions } from "./pool-options.ts";
import { SpdyConnection } from "./spdy-connection.ts";

const endpoint = { pod: { namespace: "shop", name: "cart-0", uid: "u1" }, port: port(80) };
const limits = { ...defaultPoolOptions, everyMs: defaultPoolOptions.pingEveryMs };

/** A connection whose far end answers pings, and a stream on it. */
async function opened({ says = "question", ageMs = 0 } = {}) {
  const { near, far } = duplexPair();
  const clock = new FakeClock();
  const connection = new SpdyConnection(near, Buffer.alloc(0), clock);
  const runtime = new SpdyRuntime(far);
  runtime.answersPings = true;
  const look = async (count: number, isOver = () => false) => {
    for (let second = 1; second <= count; second++) {
      await clock.advance(1_000);
      connection.look(limits);
      await turns(4);
      if (isOver()) return second;
    }
    return Number.POSITIVE_INFINITY;
  };
  await look(ageMs / 1_000);
  const stream = connection.openStream(endpoint, { mayWait: true });
  if (says !== "") stream.write(says);
  await clock.advance(10);
  const pair = await runtime.takePair();
  return {
    ...{ clock, connection, runtime, stream, pair },
    ended: (most: number) => look(most, () => stream.destroyed),
  };
}

test("SpdyConnection gives a stream up that is not accepted though pings behind its SYN are answered", async () => {
  for (const ageMs of [0, 7_000, 13_000]) {
    const { connection, ended, stream } = await opened({ ageMs });
    const after = await ended(60);
    assert.ok(after >= 3 && after <= 14, `after ${after} s`);
    // Its bytes were behind the SYN: nobody knows what became of them.
    assert.deepEqual([codeOf(stream.errored), stream.isUntouched], ["unavailable", false]);
    assert.match(String(stream.errored), /the runtime did not accept the stream/);
    assert.equal(connection.isCondemned, true);
  }
});

test("SpdyConnection says of a stream that was not accepted whether anything was sent on it", async () => {
  const { ended, stream } = await opened({ says: "" });
  await ended(60);
  assert.deepEqual([codeOf(stream.errored), stream.isUntouched], ["unavailable", true]);
});

test("SpdyConnection waits for ever for the application of a stream that was accepted", async () => {
  const { ended, pair, runtime } = await opened();
  runtime.send({ kind: "reply", streamId: pair.dataId, fin: false });
  assert.equal(await ended(600), Number.POSITIVE_INFINITY);
});

test("SpdyConnection takes a word of the pod for an acceptance, and the error stream's alone for none", async () => {
  const spoken = await opened();
  spoken.runtime.say(spoken.pair.dataId, "welcome");
  spoken.stream.resume();
  assert.equal(await spoken.ended(60), Number.POSITIVE_INFINITY);
  const half = await opened();
  half.runtime.send({ kind: "reply", streamId: half.pair.errorId, fin: false });
  assert.ok((await half.ended(60)) <= 14);
});

test("SpdyConnection gives no stream up before it is known that the runtime has read its SYN", async () => {
  const { ended, runtime, connection } = await opened();
  runtime.answersPings = false;
  assert.equal(await ended(10), Number.POSITIVE_INFINITY);
  // All that came late is answered in order.
  const late = runtime.frames.splice(0).filter((frame) => frame.kind === "ping");
  runtime.answersPings = true;
  runtime.send(...late, { kind: "reply", streamId: 3, fin: false });
  assert.equal(await ended(60), Number.POSITIVE_INFINITY);
  assert.equal(connection.isHealthy, true);
});

test("SpdyConnection does not count the time in which nothing was read here", async () => {
  const { connection, ended, runtime, stream, pair } = await opened();
  await runtime.take("data");
  await ended(3);
  const neighbour = connection.openStream(endpoint);
  const { dataId } = await runtime.takePair();
  runtime.send({ kind: "reply", streamId: dataId, fin: false });
  runtime.say(dataId, "x".repeat(300_000));
  await turns(4);
  assert.equal(connection.isPaused, true);
  runtime.send({ kind: "reply", streamId: pair.dataId, fin: false });
  assert.equal(await ended(60), Number.POSITIVE_INFINITY);
  neighbour.resume();
  assert.equal(await ended(60), Number.POSITIVE_INFINITY);
  assert.equal(stream.destroyed, false);
});
