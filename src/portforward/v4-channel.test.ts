import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { closedText, refusedText } from "../../test/support/runtime-texts.ts";
import { type ClientFrame, ClientFrames, closeFrame, serverFrame } from "../../test/support/websocket-peer.ts";
import { port } from "../model/port.ts";
import { V4Channel } from "./v4-channel.ts";

const endpoint = { pod: { namespace: "shop", name: "cart-0", uid: "u1" }, port: port(8080) };
const portBytes = Buffer.from([0x90, 0x1f]);

/** A message of the runtime's. */
const say = (channel: number, bytes: Buffer | string) =>
  serverFrame(2, Buffer.concat([Buffer.from([channel]), Buffer.from(bytes)]));
const named = Buffer.concat([say(0, portBytes), say(1, portBytes)]);

/** A channel, and the runtime at its far end. */
function channelled(head: Buffer = named) {
  const { near, far } = duplexPair();
  const clock = new FakeClock();
  const frames: ClientFrame[] = [];
  const reader = new ClientFrames();
  far.on("data", (chunk: Buffer) => frames.push(...reader.push(chunk)));
  let opened = 0;
  const onOpen = () => void opened++;
  const channel = new V4Channel({ socket: near, head }, endpoint, { clock, onOpen });
  return { channel, clock, near, far, frames, opened: () => opened };
}

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return String(Buffer.concat(parts));
}

test("V4Channel carries bytes both ways on channel 0 and ends with the close", async () => {
  const { channel, far, frames, near, opened } = channelled();
  channel.write("question");
  await turns();
  assert.deepEqual(
    frames.map(({ payload }) => String(payload)),
    ["\0question"],
  );
  far.write(Buffer.concat([say(0, "ans"), say(0, "wer"), closeFrame(1000)]));
  assert.equal(await text(channel), "answer");
  assert.equal(opened(), 1);
  assert.ok(near.destroyed);
});

test("V4Channel reads messages that are split at every byte", async () => {
  const sent = Buffer.concat([named, say(0, "answer"), say(0, ""), closeFrame(1000)]);
  for (let at = 1; at < sent.length; at++) {
    const { channel, far } = channelled(sent.subarray(0, at));
    far.write(sent.subarray(at));
    assert.equal(await text(channel), "answer");
  }
});

test("V4Channel reads fragments of a message as one", async () => {
  const { channel, far } = channelled();
  const parts = [serverFrame(2, Buffer.from([0]), false), serverFrame(0, Buffer.from("ans"), false)];
  far.write(Buffer.concat([...parts, serverFrame(0, Buffer.from("wer")), closeFrame(1000)]));
  assert.equal(await text(channel), "answer");
});

test("V4Channel sends messages of 64 KiB at most, in order", async () => {
  const { channel, frames } = channelled();
  const sent = Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 251));
  channel.cork();
  for (const end of [1, 70_000, 200_000])
    channel.write(sent.subarray(end === 1 ? 0 : end === 70_000 ? 1 : 70_000, end));
  channel.uncork();
  await turns();
  assert.ok(Buffer.concat(frames.map(({ payload }) => payload.subarray(1))).equals(sent));
  assert.ok(frames.every(({ payload }) => payload[0] === 0 && payload.length <= 65_537));
});

test("V4Channel fails with the runtime's text, with the close behind it or without", async () => {
  const closing = channelled();
  closing.far.write(Buffer.concat([say(1, refusedText.slice(0, 90)), say(1, refusedText.slice(90)), closeFrame(1000)]));
  await assert.rejects(text(closing.channel), { code: "refused" });
  const silent = channelled();
  const failed = assert.rejects(text(silent.channel), { code: "gone" });
  silent.far.write(say(1, closedText));
  await turns();
  await silent.clock.advance(250);
  await failed;
  const cut = channelled();
  cut.far.end(say(1, closedText));
  await assert.rejects(text(cut.channel), { code: "gone" });
  assert.equal(cut.clock.pending, 0);
});

test("V4Channel fails as lost when the connection is, or is closed for another reason", async () => {
  const ways: Readonly<Record<string, (parts: ReturnType<typeof channelled>) => unknown>> = {
    "the connection was ended": ({ far }) => far.end(),
    ECONNRESET: ({ near }) => near.destroy(new Error("read ECONNRESET")),
    "closed \\(1011: x\\)": ({ far }) => far.write(closeFrame(1011, "x")),
    "bytes on channel 2": ({ far }) => far.write(say(2, "x")),
    "a text message": ({ far }) => far.write(serverFrame(1, Buffer.from("x"))),
  };
  for (const [reason, lose] of Object.entries(ways)) {
    const parts = channelled();
    const failed = assert.rejects(text(parts.channel), { code: "unavailable", message: new RegExp(reason) });
    lose(parts);
    await failed;
    assert.ok(parts.near.destroyed, reason);
  }
  const other = channelled(say(0, Buffer.from([80, 0])));
  await assert.rejects(text(other.channel), { message: /opened port 80 instead$/ });
});

test("V4Channel holds the local end back until the pod has been silent for 5 s", async () => {
  const { channel, clock, far, frames } = channelled();
  const answer = text(channel);
  channel.end("question");
  await turns();
  await clock.advance(4_000);
  far.write(say(0, "answer"));
  await turns();
  await clock.advance(4_999);
  assert.deepEqual(
    frames.map(({ opcode }) => opcode),
    [2],
  );
  await clock.advance(1);
  assert.equal(await answer, "answer");
  await turns();
  assert.deepEqual(
    frames.map(({ opcode }) => opcode),
    [2, 8],
  );
});

test("V4Channel.localEnded() closes at once when the local side is closed, and waits long when it still reads", async () => {
  const closed = channelled();
  closed.channel.end();
  await turns();
  closed.channel.localEnded("closed");
  assert.equal(await text(closed.channel), "");
  const halfClosed = channelled();
  const answer = text(halfClosed.channel);
  halfClosed.channel.end();
  await turns();
  halfClosed.channel.localEnded("half-closed");
  await halfClosed.clock.advance(299_999);
  halfClosed.far.write(say(0, "late"));
  await turns();
  await halfClosed.clock.advance(299_999);
  assert.ok(!halfClosed.near.destroyed);
  await halfClosed.clock.advance(1);
  assert.equal(await answer, "late");
});

test("V4Channel sends nothing after the pod's end", async () => {
  const { channel, far, frames } = channelled();
  far.write(closeFrame(1000));
  await once(channel.resume(), "end");
  channel.write("too late", () => {});
  await turns();
  assert.deepEqual(
    frames.map(({ opcode }) => opcode),
    [8],
  );
});

test("V4Channel is untouched until something was written", async () => {
  const { channel } = channelled();
  assert.equal(channel.isUntouched, true);
  channel.write(Buffer.alloc(0));
  await turns();
  assert.equal(channel.isUntouched, true);
  channel.write("x");
  assert.equal(channel.isUntouched, false);
  channel.destroy();
});

test("V4Channel holds back both sides, and lets go when it is destroyed", async () => {
  const { channel, near, far, clock } = channelled();
  far.pause();
  const piece = Buffer.alloc(65_536);
  while (channel.write(piece)) await turns(2);
  for (let sent = 0; sent < 200 && far.write(say(0, piece)); sent++) await turns(3);
  assert.ok(channel.readableLength <= 4 * 65_536, `${channel.readableLength} bytes queued`);
  channel.destroy();
  await turns();
  assert.ok(near.destroyed);
  assert.equal(clock.pending, 0);
});
