import assert from "node:assert/strict";
import { once } from "node:events";
import { overEachCarrier } from "../../test/support/carriers.ts";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { closedText, refusedText } from "../../test/support/runtime-texts.ts";
import { encode } from "../../test/support/spdy-frames.ts";
import { SpdyRuntime } from "../../test/support/spdy-runtime.ts";
import { LocalizerError } from "../errors.ts";
import { port } from "../model/port.ts";
import { finSilenceMs } from "./pod-stream.ts";
import { SpdyConnection } from "./spdy-connection.ts";

const { test, duplexPair } = overEachCarrier();
const pod = { namespace: "shop", name: "cart-0", uid: "u1" };
const endpoint = { pod, port: port(80) };

/** A connection, and the runtime at its far end. */
function connected(head: Buffer = Buffer.alloc(0)) {
  const { near, far } = duplexPair();
  const clock = new FakeClock();
  return { near, clock, connection: new SpdyConnection(near, head, clock), runtime: new SpdyRuntime(far) };
}

const fivePings = Array.from({ length: 5 }, () => "ping");

function kinds({ frames }: SpdyRuntime): string[] {
  return frames.map(({ kind }) => kind);
}

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return String(Buffer.concat(parts));
}

test("SpdyConnection.openStream() opens a pair of streams with the port and an id of its own", async () => {
  const { connection, runtime } = connected();
  connection.openStream(endpoint);
  connection.openStream({ pod, port: port(8080) });
  assert.deepEqual(await runtime.takePair(), { errorId: 1, dataId: 3, port: "80", requestId: "0" });
  assert.deepEqual(await runtime.takePair(), { errorId: 5, dataId: 7, port: "8080", requestId: "1" });
});

test("SpdyConnection carries bytes both ways and forgets the pair at its end", async () => {
  const { connection, runtime, clock } = connected();
  const stream = connection.openStream(endpoint);
  stream.write("question");
  const { errorId, dataId } = await runtime.takePair();
  assert.deepEqual(await runtime.take("data"), {
    kind: "data",
    streamId: dataId,
    fin: false,
    bytes: Buffer.from("question"),
  });
  const reply = { kind: "reply", fin: false } as const;
  runtime.send({ ...reply, streamId: dataId }, { ...reply, streamId: errorId });
  runtime.say(dataId, "answer", true);
  runtime.fin(errorId);
  assert.equal(await text(stream), "answer");
  stream.end();
  if (!stream.closed) await once(stream, "close");
  await clock.advance(60_000);
  runtime.say(dataId, "for nobody", true);
  await turns();
  assert.deepEqual(kinds(runtime), fivePings);
  assert.equal(connection.closed.aborted, false);
});

test("SpdyConnection sends DATA frames of 64 KiB at most, in order", async () => {
  const { connection, runtime } = connected();
  const stream = connection.openStream(endpoint);
  await runtime.takePair();
  const sent = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
  // The small pieces go out joined with their headers, the large ones do not.
  const sizes = [1, 100, 16_383, 16_384, 70_000, 0, 131_072];
  for (let at = 0, turn = 0; at < sent.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    stream.write(sent.subarray(at, at + size));
    at += size;
  }
  const got: Buffer[] = [];
  for (let length = 0; length < sent.length; ) {
    const { bytes } = await runtime.take("data");
    assert.ok(bytes.length > 0 && bytes.length <= 65_536);
    got.push(bytes);
    length += bytes.length;
  }
  assert.ok(Buffer.concat(got).equals(sent));
});

test("SpdyConnection fails the stream with the runtime's reason, whichever of the two streams ends first", async () => {
  for (const dataFirst of [true, false]) {
    const { connection, runtime } = connected();
    const stream = connection.openStream(endpoint);
    const { errorId, dataId } = await runtime.takePair();
    if (dataFirst) runtime.fin(dataId);
    runtime.say(errorId, dataFirst ? refusedText : closedText, true);
    if (!dataFirst) runtime.fin(dataId);
    await assert.rejects(text(stream), { code: dataFirst ? "refused" : "gone" });
  }
});

test("SpdyConnection sends no DATA after the pod's FIN", async () => {
  const { connection, runtime, clock } = connected();
  const stream = connection.openStream(endpoint);
  const { errorId, dataId } = await runtime.takePair();
  runtime.fin(dataId);
  await turns();
  stream.write("too late");
  stream.end("too late");
  runtime.fin(errorId);
  assert.equal(await text(stream), "");
  await clock.advance(60_000);
  await turns();
  assert.deepEqual(kinds(runtime), fivePings);
});

test("SpdyConnection sends the held-back FIN as an empty DATA frame", async () => {
  const { connection, runtime, clock } = connected();
  const stream = connection.openStream(endpoint);
  const { dataId } = await runtime.takePair();
  stream.end();
  await once(stream, "finish");
  await turns();
  assert.deepEqual(kinds(runtime), fivePings);
  runtime.frames.length = 0;
  await clock.advance(finSilenceMs);
  assert.deepEqual(await runtime.take("data"), {
    kind: "data",
    streamId: dataId,
    fin: true,
    bytes: Buffer.alloc(0),
  });
});

test("SpdyConnection sends a FIN and five pings in one write when the local side breaks off", async () => {
  const { connection, runtime } = connected();
  const stream = connection.openStream(endpoint);
  await runtime.takePair();
  const write = once(runtime.socket, "data");
  stream.destroy();
  const [bytes] = await write;
  assert.equal(bytes.length, 8 + 5 * 12);
  assert.deepEqual(kinds(runtime), ["data", ...fivePings]);
  assert.equal(connection.isProven, false);
  for (const frame of runtime.frames) if (frame.kind === "ping") runtime.send(frame);
  await turns();
  assert.deepEqual([connection.isProven, connection.streams, connection.isHealthy], [true, 1, true]);
});

test("SpdyConnection ends only the pair that the runtime resets", async () => {
  const { connection, runtime } = connected();
  const [broken, whole] = [connection.openStream(endpoint), connection.openStream(endpoint)];
  const [first, second] = [await runtime.takePair(), await runtime.takePair()];
  runtime.send({ kind: "reset", streamId: first.errorId, status: 5 });
  await assert.rejects(text(broken), { code: "unavailable", message: /was reset \(status 5\)$/ });
  runtime.say(second.dataId, "still here", true);
  runtime.fin(second.errorId);
  assert.equal(await text(whole), "still here");
});

test("SpdyConnection holds writes back while the socket takes no more", async () => {
  const { connection, runtime, near } = connected();
  const stream = connection.openStream(endpoint);
  await runtime.takePair();
  runtime.socket.pause();
  const piece = Buffer.alloc(32_768, "x");
  let sent = 0;
  while (stream.write(piece)) {
    sent += piece.length;
    await turns(2);
  }
  await turns();
  assert.ok(near.writableLength <= 2 * near.writableHighWaterMark, `${near.writableLength} bytes queued`);
  assert.ok(stream.writableNeedDrain);
  runtime.socket.resume();
  await once(stream, "drain");
  assert.equal((await runtime.takeData(sent + piece.length)).length, sent + piece.length);
});

test("SpdyConnection pauses the socket while a stream's reader is behind, whatever the others read", async () => {
  const { connection, runtime } = connected();
  const [slow, quick] = [connection.openStream(endpoint), connection.openStream(endpoint)];
  const [first, second] = [await runtime.takePair(), await runtime.takePair()];
  let read = 0;
  quick.on("data", (chunk: Buffer) => {
    read += chunk.length;
  });
  const bytes = Buffer.alloc(16_384, "x");
  for (let round = 0; round < 200; round++) {
    runtime.send(
      { kind: "data", streamId: first.dataId, fin: false, bytes },
      { kind: "data", streamId: second.dataId, fin: false, bytes },
    );
  }
  await turns(1_000);
  assert.ok(slow.readableLength <= 4 * slow.readableHighWaterMark, `${slow.readableLength} bytes queued`);
  slow.resume();
  while (read < 200 * bytes.length) await turns(1);
});

test("SpdyConnection reads on when the stream that was behind is destroyed", async () => {
  const { connection, runtime } = connected();
  const [slow, other] = [connection.openStream(endpoint), connection.openStream(endpoint)];
  const [first, second] = [await runtime.takePair(), await runtime.takePair()];
  runtime.send({ kind: "data", streamId: first.dataId, fin: false, bytes: Buffer.alloc(200_000) });
  runtime.say(second.dataId, "behind it", true);
  runtime.fin(second.errorId);
  await turns();
  slow.destroy();
  assert.equal(await text(other), "behind it");
});

test("SpdyConnection sends the runtime's pings back, and none of its own", async () => {
  const { runtime } = connected();
  runtime.send({ kind: "ping", id: 7 }, { kind: "ping", id: 4 });
  assert.deepEqual(await runtime.take("ping"), { kind: "ping", id: 4 });
  assert.deepEqual(runtime.frames, []);
});

test("SpdyConnection answers no pings of a runtime that reads nothing, whatever it sends", async () => {
  const { near, connection, runtime } = connected();
  runtime.socket.pause();
  const pings = Buffer.concat(Array.from({ length: 5_000 }, (_, index) => encode({ kind: "ping", id: 2 * index + 2 })));
  for (let sent = 0; sent < 60_000_000; sent += pings.length) {
    runtime.socket.write(pings);
    while (runtime.socket.writableLength > 0) await turns(1);
  }
  assert.ok(near.writableLength <= 4 * near.writableHighWaterMark, `${near.writableLength} bytes queued`);
  runtime.socket.resume();
  await turns(50);
  runtime.frames.length = 0;
  runtime.send({ kind: "ping", id: 4 });
  assert.deepEqual(await runtime.take("ping"), { kind: "ping", id: 4 });
  assert.equal(connection.closed.aborted, false);
});

test("SpdyConnection reads the bytes that came with the upgrade's answer", async () => {
  const { runtime } = connected(encode({ kind: "ping", id: 2 }));
  assert.deepEqual(await runtime.take("ping"), { kind: "ping", id: 2 });
});

test("SpdyConnection ends every stream when it is lost, however that shows", async () => {
  const ways = {
    "the far end ends": ({ runtime }: ReturnType<typeof connected>) => runtime.socket.end(),
    "the far end hangs up": ({ runtime }) => runtime.socket.destroy(),
    "the socket breaks": ({ near }) => near.destroy(new Error("read ECONNRESET")),
    "the far end speaks no SPDY": ({ runtime }) => runtime.socket.write(Buffer.from("8002000200000004", "hex")),
    "it is disposed": ({ connection }) => void connection[Symbol.asyncDispose](),
  } satisfies Record<string, (parts: ReturnType<typeof connected>) => unknown>;
  for (const [how, lose] of Object.entries(ways)) {
    const parts = connected();
    const { connection, near, clock } = parts;
    const streams = [connection.openStream(endpoint), connection.openStream(endpoint)];
    streams[1]?.end();
    await turns();
    lose(parts);
    for (const stream of streams) await assert.rejects(text(stream), { code: "unavailable" }, how);
    assert.ok(connection.closed.reason instanceof LocalizerError, how);
    assert.ok(near.destroyed, how);
    assert.equal(clock.pending, 0, how);
    assert.throws(() => connection.openStream(endpoint), { code: "unavailable" }, how);
    await connection[Symbol.asyncDispose]();
  }
});

test("SpdyConnection lets go of held-back writes when it is lost", async () => {
  const { connection, runtime } = connected();
  const stream = connection.openStream(endpoint);
  await runtime.takePair();
  runtime.socket.pause();
  while (stream.write(Buffer.alloc(65_536))) await turns(2);
  await connection[Symbol.asyncDispose]();
  await assert.rejects(text(stream), { code: "unavailable" });
  assert.ok(stream.closed);
});
