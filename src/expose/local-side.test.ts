import assert from "node:assert/strict";
import { once } from "node:events";
import { Socket } from "node:net";
import { type Duplex, Readable } from "node:stream";
import { test } from "node:test";
import { bulk, digestOf, textOf } from "../../test/support/channel-taker.ts";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { callOf, localProcess } from "../../test/support/local-process.ts";
import { isReset } from "../../test/support/tcp-pair.ts";
import { systemClock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { type Port, port } from "../model/port.ts";
import { localDialer } from "../net/dial-local.ts";
import { openLocalSide } from "./local-side.ts";

/** How many bytes it takes before it has not taken more for 200 turns of the loop. */
async function writtenUntilStuck(stream: Duplex): Promise<number> {
  const chunk = Buffer.alloc(64 * 1024);
  for (let sent = chunk.length, turns = 0; ; turns++) {
    if (!stream.writableNeedDrain) {
      stream.write(chunk);
      sent += chunk.length;
      turns = 0;
    }
    if (turns === 200 || sent > 64 * 1024 * 1024) return sent;
    await turn();
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("openLocalSide() leads a connection to the local process, counts it, and passes the ends on", async () => {
  await using local = await localProcess();
  const accepted = local.accepted();
  const { caller } = local.call();
  caller.end("question");
  const socket = await accepted;
  assert.deepEqual(local.side.counts, { open: 1, total: 1, bytesIn: 0, bytesOut: 0, refused: 0 });
  assert.equal(await textOf(socket), "question");
  socket.end("the answer");
  assert.equal(await textOf(caller), "the answer");
  while (local.side.counts.open > 0) await turn();
  assert.deepEqual(local.side.counts, { open: 0, total: 1, bytesIn: 8, bytesOut: 10, refused: 0 });
});

test("openLocalSide() tells on how many connections the process still has to answer, and those it has lost do not count", async () => {
  await using local = await localProcess();
  const until = async (unanswered: number) => {
    while (local.side.unanswered !== unanswered) await turn();
  };
  const accepted = local.accepted();
  const { caller: keeper } = local.call();
  const socket = await accepted;
  const leaver = local.call();
  assert.equal(local.side.unanswered, 0);
  for (const caller of [keeper, leaver.caller]) caller.write("question");
  await until(2);
  leaver.channel.destroy();
  await until(1);
  socket.write("an answer");
  await until(0);
  keeper.write("one more");
  await until(1);
  // What is said and not yet taken is owed, too.
  keeper.pause();
  await writtenUntilStuck(socket);
  assert.equal(local.side.unanswered, 1);
});

test("openLocalSide() passes the process's half-close on, and it hears the caller afterwards", async () => {
  await using local = await localProcess();
  const accepted = local.accepted();
  const { caller } = local.call();
  const socket = await accepted;
  socket.end("first");
  assert.equal(await textOf(caller), "first");
  caller.end("second");
  assert.equal(await textOf(socket), "second");
});

test("openLocalSide() brings 64 MiB each way, unchanged, though the process ends as soon as it has written", async () => {
  await using local = await localProcess();
  const accepted = local.accepted();
  const { caller } = local.call();
  const socket = await accepted;
  const length = 64 * 1024 * 1024;
  const digests = [digestOf(socket), digestOf(caller)];
  const wanted = digestOf(Readable.from(bulk(length)));
  Readable.from(bulk(length)).pipe(caller);
  Readable.from(bulk(length)).pipe(socket);
  for (const digest of digests) assert.equal(await digest, await wanted);
});

test("openLocalSide() stops a caller that the process does not read, and a process that the caller does not", async () => {
  await using local = await localProcess();
  const accepted = local.accepted();
  const { caller } = local.call();
  const socket = await accepted;
  socket.pause();
  caller.pause();
  // What the kernel holds, and some buffers.
  for (const end of [caller, socket]) assert((await writtenUntilStuck(end)) < 32 * 1024 * 1024);
});

test("openLocalSide() closes the caller at once when no process listens, and counts that", async () => {
  // Port 1 is nobody's.
  const parts = { clock: new FakeClock(), dial: localDialer({ clock: systemClock }) };
  await using side = openLocalSide(parts, { local: port(1), remote: port(80) });
  const { caller, channel } = callOf(side);
  caller.write("is anybody there?");
  await once(caller.resume(), "end");
  assert(channel.destroyed);
  while (side.counts.open > 0) await turn();
  assert.deepEqual(side.counts, {
    open: 0,
    total: 1,
    bytesIn: 0,
    bytesOut: 0,
    refused: 1,
    lastError: "no local process on port 1",
  });
});

test("openLocalSide() resets the process's connection when the caller's fails", async () => {
  for (const reason of [new Error("lost"), undefined]) {
    await using local = await localProcess();
    const accepted = local.accepted();
    const { caller, channel } = local.call();
    const socket = await accepted;
    const reset = isReset(socket);
    caller.write("half of a");
    await once(socket, "data");
    channel.destroy(reason);
    await reset;
    while (local.side.counts.open > 0) await turn();
    assert.equal(local.side.counts.lastError, undefined);
  }
});

test("openLocalSide() closes the caller's connection when the process breaks off, and says so", async () => {
  await using local = await localProcess();
  const accepted = local.accepted();
  const { caller, channel } = local.call();
  const socket = await accepted;
  caller.write("x");
  await once(socket, "data");
  socket.resetAndDestroy();
  await once(caller.resume(), "end");
  assert(channel.destroyed);
  while (local.side.counts.open > 0) await turn();
  assert.equal(local.side.counts.lastError, "Lost a connection to the local process: connection reset by peer");
});

test("openLocalSide() stops dialling when the caller leaves meanwhile, which is no refusal", async () => {
  const dial = (_port: Port, signal: AbortSignal) =>
    new Promise<Socket>((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));
  await using side = openLocalSide({ clock: new FakeClock(), dial }, { local: port(8080), remote: port(80) });
  callOf(side).channel.destroy();
  while (side.counts.open > 0) await turn();
  assert.equal(side.counts.refused, 0);
});

/** A connection to a process that never reads, when even the kernel's buffers are full. */
class StuckSocket extends Socket {
  override _write(): void {}
}

/** A side whose process is stuck, and whose caller is gone for good after some words. */
async function stuckSide() {
  const clock = new FakeClock();
  const socket = new StuckSocket();
  const side = openLocalSide({ clock, dial: async () => socket }, { local: port(8080), remote: port(80) });
  const { caller, channel } = callOf(side);
  channel.once("end", () => channel.destroy());
  caller.end("some words");
  await once(channel, "close");
  await turn();
  return { clock, socket, side };
}

test("openLocalSide() gives a process 30 s to read the rest after its caller has gone for good", async () => {
  const { clock, side, socket } = await stuckSide();
  await clock.advance(29_999);
  assert.equal(socket.destroyed, false);
  await clock.advance(1);
  assert.equal(side.counts.open, 0);
  await side[Symbol.asyncDispose]();
});

test("dispose() does not wait for a process that reads nothing", async () => {
  const { clock, side, socket } = await stuckSide();
  await side[Symbol.asyncDispose]();
  assert(socket.destroyed);
  assert.equal(side.counts.open, 0);
  assert.equal(clock.pending, 0);
});

test("dispose() resets all connections and takes no more", async () => {
  await using local = await localProcess();
  const accepted = local.accepted();
  const { caller } = local.call();
  const socket = await accepted;
  caller.write("x");
  await once(socket, "data");
  const reset = isReset(socket);
  await local.side[Symbol.asyncDispose]();
  await reset;
  await once(caller.resume(), "end");
  assert(local.call().channel.destroyed);
  assert.equal(local.side.counts.open, 0);
});

test("openLocalSide() forgets a failure once a process takes a connection", async () => {
  const { near, far } = duplexPair();
  far.on("error", () => {});
  const listens = [false, true];
  const dial = async () => {
    if (listens.shift() === true) return new Socket();
    throw new LocalizerError("refused", "Nobody listens");
  };
  await using side = openLocalSide({ clock: new FakeClock(), dial }, { local: port(1), remote: port(80) });
  callOf(side);
  while (side.counts.refused === 0) await turn();
  assert.equal(side.counts.lastError, "no local process on port 1");
  side.take(near);
  await turn();
  assert.equal(side.counts.lastError, undefined);
});

test("refused() counts what did not come here, and says why until a process takes a connection again", async () => {
  await using local = await localProcess();
  local.side.refused("more than 256 connections at a time");
  const refused = { open: 0, total: 1, bytesIn: 0, bytesOut: 0, refused: 1 };
  assert.deepEqual(local.side.counts, { ...refused, lastError: "more than 256 connections at a time" });
  const accepted = local.accepted();
  local.call();
  await accepted;
  while (local.side.counts.lastError !== undefined) await turn();
  assert.partialDeepStrictEqual(local.side.counts, { total: 2, refused: 1 });
});
