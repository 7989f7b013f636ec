/** What a SpdyConnection does with bytes whose stream has been left before the application took them. */
import assert from "node:assert/strict";
import { overEachCarrier } from "../../test/support/carriers.ts";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { pong } from "../../test/support/pooled-pods.ts";
import { SpdyRuntime } from "../../test/support/spdy-runtime.ts";
import { port } from "../model/port.ts";
import { defaultPoolOptions } from "./pool-options.ts";
import { SpdyConnection } from "./spdy-connection.ts";

const { test, duplexPair } = overEachCarrier();
const endpoint = { pod: { namespace: "shop", name: "cart-0", uid: "u1" }, port: port(80) };
const { pingEveryMs, idleSuspectMs, idleLostMs } = defaultPoolOptions;
/** As the pool has them for a connection that nobody uses. */
const limits = { ...defaultPoolOptions, everyMs: pingEveryMs, suspectMs: idleSuspectMs, lostMs: idleLostMs };

/** Sends so many bytes by a connection of its own and leaves; the application has taken nothing yet. */
async function uploaded(bytes: number) {
  const { near, far } = duplexPair();
  const clock = new FakeClock();
  const path: { is: "alive" | "dead" } = { is: "alive" };
  const connection = new SpdyConnection(near, Buffer.alloc(0), clock, async () => path.is);
  const runtime = new SpdyRuntime(far);
  const stream = connection.openStream(endpoint);
  const pair = await runtime.takePair();
  stream.end(Buffer.alloc(bytes));
  await runtime.takeData(bytes);
  stream.localEnded("closed");
  stream.destroy();
  await turns();
  /** Looks every second; says after how many the connection was closed. */
  const seconds = async (most: number): Promise<number> => {
    for (let second = 1; second <= most; second++) {
      await clock.advance(1_000);
      connection.look(limits);
      await turns(4);
      if (connection.closed.aborted) return second;
    }
    return Number.POSITIVE_INFINITY;
  };
  return { clock, connection, runtime, path, pair, seconds };
}

const never = Number.POSITIVE_INFINITY;

test("SpdyConnection waits for a slow application that was sent much before its peer left, and closes then", async () => {
  const { connection, runtime, seconds } = await uploaded(1_000_000);
  assert.equal(await seconds(120), never);
  assert.deepEqual([connection.isHealthy, connection.isCondemned], [false, true]);
  await pong(runtime);
  assert.equal(connection.closed.aborted, true);
});

test("SpdyConnection waits for it too where only its own worker of the runtime waits", async () => {
  const { connection, runtime, seconds } = await uploaded(1_000_000);
  const round = runtime.frames.filter((frame) => frame.kind === "ping");
  runtime.frames.length = 0;
  runtime.send(...round.slice(1));
  for (let second = 0; second < 60; second++) {
    assert.equal(await seconds(1), never);
    await pong(runtime, 1);
  }
  assert.equal(connection.isCondemned, true);
  runtime.send(...round.slice(0, 1));
  await turns();
  assert.equal(connection.closed.aborted, true);
});

test("SpdyConnection waits for it 10 minutes at most, and no longer than the path is alive", async () => {
  const slow = await uploaded(1_000_000);
  const gaveUp = await slow.seconds(700);
  assert.ok(gaveUp >= 600 && gaveUp <= 602, `after ${gaveUp} s`);
  const lost = await uploaded(1_000_000);
  await lost.seconds(60);
  lost.path.is = "dead";
  const noticed = await lost.seconds(60);
  assert.ok(noticed >= 6 && noticed <= 15, `after ${noticed} s`);
});

test("SpdyConnection does not wait for a worker that is stuck behind little", async () => {
  const { seconds } = await uploaded(1_000);
  assert.ok((await seconds(60)) <= 11);
});

test("SpdyConnection gives a stream 10 s to end from when its FIN is known to be consumed", async () => {
  const { runtime, connection, seconds } = await uploaded(1_000_000);
  await seconds(9);
  await pong(runtime);
  runtime.answersPings = true;
  assert.equal(connection.isCondemned, false);
  const closed = await seconds(60);
  assert.ok(closed >= 10 && closed <= 12, `after ${closed} s: ${connection.closed.reason}`);
});

test("SpdyConnection waits for the last bytes too, when the pings before them are answered late", async () => {
  const { near, far } = duplexPair();
  const clock = new FakeClock();
  const connection = new SpdyConnection(near, Buffer.alloc(0), clock, async () => "alive");
  const runtime = new SpdyRuntime(far);
  const stream = connection.openStream(endpoint);
  await runtime.takePair();
  const look = async (seconds: number) => {
    for (let second = 0; second < seconds && !connection.closed.aborted; second++) {
      await clock.advance(1_000);
      connection.look(limits);
      await turns(4);
    }
  };
  stream.write(Buffer.alloc(950_000));
  await runtime.takeData(950_000);
  await look(11);
  const round = runtime.frames.splice(0).filter((frame) => frame.kind === "ping");
  assert.equal(round.length >= 5, true);
  stream.end(Buffer.alloc(50_000));
  await runtime.takeData(50_000);
  stream.localEnded("closed");
  stream.destroy();
  await turns();
  await look(12);
  runtime.send(...round);
  await turns();
  await look(30);
  assert.equal(connection.closed.aborted, false, "the application may read on");
  await pong(runtime);
  await look(2);
  assert.equal(connection.closed.aborted, true);
});
