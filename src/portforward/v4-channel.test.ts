import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { closedText, refusedText } from "../../test/support/runtime-texts.ts";
import { channelled, named, say, text } from "../../test/support/v4-runtime.ts";
import { closeFrame, serverFrame } from "../../test/support/websocket-peer.ts";

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
