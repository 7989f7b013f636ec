/** How a V4Channel ends: by the local side, by the pod, by silence; and what is still sent then. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { refusedText } from "../../test/support/runtime-texts.ts";
import { channelled, quietFor, say, text } from "../../test/support/v4-runtime.ts";
import { closeFrame } from "../../test/support/websocket-peer.ts";

/** A channel whose far end does not read before it is told to, filled until 64 KiB or so stand in the socket's queue. */
async function backedUp() {
  const parts = channelled();
  const { channel, near, far } = parts;
  far.pause();
  let sent = 0;
  const piece = Buffer.alloc(16_384, 7);
  while (near.writableLength < 32_768) {
    channel.write(piece);
    sent += piece.length;
    await turns(2);
  }
  const arrived = () =>
    parts.frames.reduce((sum, frame) => sum + (frame.opcode === 2 ? frame.payload.length - 1 : 0), 0);
  return { ...parts, sent, arrived };
}

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
  await quietFor(halfClosed.clock, 299_999);
  halfClosed.far.write(say(0, "late"));
  await turns();
  await quietFor(halfClosed.clock, 299_999);
  assert.ok(!halfClosed.near.destroyed);
  await halfClosed.clock.advance(1);
  assert.equal(await answer, "late");
});

test("V4Channel sends all that was written before the close, though the server reads slowly and the local side is gone", async () => {
  for (const leave of ["localEnded", "destroy"] as const) {
    const { channel, near, far, frames, sent, arrived, clock } = await backedUp();
    channel.end();
    await turns();
    assert.ok(channel.writableFinished);
    if (leave === "destroy") channel.destroy();
    else channel.localEnded("closed");
    await turns();
    assert.ok(!near.destroyed && arrived() < sent, "nothing was held back");
    far.resume();
    await turns(200);
    assert.equal(arrived(), sent);
    assert.deepEqual(
      frames.slice(-1).map(({ opcode, payload }) => [opcode, payload.toString("hex")]),
      [[8, "03e8"]],
    );
    far.write(say(0, "what nobody reads any more"));
    far.end(closeFrame(1000));
    await turns();
    assert.ok(near.destroyed, leave);
    assert.equal(clock.pending, 0);
  }
});

test("V4Channel closes an end that is not taken after 30 s without progress, and at once what was broken off", async () => {
  const stuck = await backedUp();
  stuck.channel.end();
  await turns();
  stuck.channel.localEnded("closed");
  await stuck.clock.advance(29_999);
  assert.ok(!stuck.near.destroyed);
  await stuck.clock.advance(1);
  assert.ok(stuck.near.destroyed);
  const broken = await backedUp();
  broken.channel.destroy();
  assert.ok(broken.near.destroyed);
  const failed = await backedUp();
  failed.channel.end();
  await turns();
  failed.channel.destroy(new Error("x"));
  assert.ok(failed.near.destroyed);
  await turns();
  for (const { clock } of [stuck, broken, failed]) assert.equal(clock.pending, 0);
});

test("V4Channel fails soon after the error text, whatever becomes of the local side meanwhile", async () => {
  for (const how of ["closed", "half-closed", undefined] as const) {
    const { channel, far, clock } = channelled();
    const failed = assert.rejects(text(channel), { code: "refused" });
    channel.write("question");
    far.write(say(1, refusedText));
    await turns();
    await clock.advance(100);
    channel.end();
    await turns();
    if (how !== undefined) channel.localEnded(how);
    await clock.advance(150);
    await failed;
    assert.equal(clock.pending, 0);
  }
});

test("V4Channel is lost within 15 s when nothing comes, not even the answer to a ping", async () => {
  const { channel, far, clock } = channelled();
  await quietFor(clock, 60_000);
  far.write(say(0, "still there"));
  await turns();
  assert.equal(channel.destroyed, false);
  far.removeAllListeners("data");
  const failed = assert.rejects(text(channel), { message: "Lost the connection to the pod: nothing came for 13 s" });
  await quietFor(clock, 15_000);
  await failed;
  assert.equal(clock.pending, 0);
});

test("V4Channel is not lost while its reader is behind, or the pod's application reads nothing", async () => {
  const behind = channelled();
  const piece = Buffer.alloc(65_536);
  for (let sent = 0; sent < 20; sent++) behind.far.write(say(0, piece));
  await turns();
  assert.ok(behind.near.isPaused());
  await quietFor(behind.clock, 120_000);
  assert.equal(behind.channel.destroyed, false);
  behind.channel.destroy();
  const swallowed = channelled();
  swallowed.far.removeAllListeners("data");
  swallowed.far.on("data", () => {});
  for (let sent = 0; sent < 3; sent++) swallowed.channel.write(Buffer.alloc(32_768));
  await quietFor(swallowed.clock, 120_000);
  assert.equal(swallowed.channel.destroyed, false);
  swallowed.channel.destroy();
});
