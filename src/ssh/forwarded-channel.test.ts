import assert from "node:assert/strict";
import { once } from "node:events";
import { type Duplex, Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import type { ServerChannel } from "ssh2";
import { bulk, channelTaker, digestOf, textOf } from "../../test/support/channel-taker.ts";
import { type SshServer, startSshServer } from "../../test/support/ssh-server.ts";
import { port } from "../model/port.ts";
import { receiveWindowBytes } from "./receive-windows.ts";
import { connectSsh, type SshOptions } from "./ssh-client.ts";

const { signal } = new AbortController();
const web = port(8080);
const megabyte = 1024 * 1024;

interface Forwarded extends AsyncDisposable {
  readonly server: SshServer;
  /** A new connection: the caller's end at the server, and ours. */
  connect(): Promise<{ caller: ServerChannel; channel: Duplex }>;
  readonly closed: AbortSignal;
  /** Why connections were not taken. */
  readonly refusals: readonly string[];
}

async function forwarded(options: Partial<SshOptions> = {}): Promise<Forwarded> {
  const server = startSshServer();
  const ssh = await connectSsh(server.transport, server.identity, signal, options);
  const { take, next } = channelTaker();
  const refusals: string[] = [];
  await ssh.forward(web, take, signal, (reason) => void refusals.push(reason));
  return {
    ...{ server, refusals },
    closed: ssh.closed,
    async connect() {
      const [caller, channel] = await Promise.all([server.connect(web), next()]);
      return { caller, channel };
    },
    async [Symbol.asyncDispose]() {
      await ssh[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** What passes until nothing has for some turns of the loop. */
async function settled(count: () => number): Promise<number> {
  for (let before = -1, turns = 0; turns < 50; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (count() !== before) turns = 0;
    before = count();
  }
  return count();
}

/** `eof()` of ssh2's channel overtakes what it has buffered, so each chunk is waited for. */
async function writeAll(stream: Writable, chunks: Iterable<Buffer>): Promise<void> {
  for (const chunk of chunks) await new Promise<void>((resolve) => stream.write(chunk, () => resolve()));
}

test("a channel passes the caller's half-close on, and the answer comes after it", async () => {
  await using line = await forwarded();
  const { caller, channel } = await line.connect();
  caller.write("question");
  caller.eof();
  assert.equal(await textOf(channel), "question");
});

test("a channel that has said its end still hears what comes", async () => {
  await using line = await forwarded();
  const { caller, channel } = await line.connect();
  channel.end("first");
  assert.equal(await textOf(caller), "first");
  caller.write("second");
  caller.eof();
  caller.close();
  assert.equal(String((await once(channel, "data"))[0]), "second");
  await once(channel, "close");
  assert.equal(channel.errored, null);
});

test("a channel brings 64 MiB each way at the same time, unchanged", async () => {
  await using line = await forwarded();
  const { caller, channel } = await line.connect();
  const length = 64 * megabyte;
  const wanted = digestOf(Readable.from(bulk(length)));
  const [up, down] = [digestOf(channel), digestOf(caller)];
  void writeAll(caller, bulk(length)).then(() => caller.eof());
  void writeAll(channel, bulk(length)).then(() => channel.end());
  assert.equal(await up, await wanted);
  assert.equal(await down, await wanted);
  caller.close();
});

test("what was sent before the server closed a channel is read to the end by a slow reader", async () => {
  await using line = await forwarded();
  const { caller, channel } = await line.connect();
  caller.resume().end(Buffer.alloc(300_000, "x"));
  await once(caller, "close");
  // Goes nowhere, and does no harm.
  channel.write("too late");
  await settled(() => channel.readableLength);
  assert.equal((await textOf(channel)).length, 300_000);
  if (!channel.closed) await once(channel, "close");
  assert.equal(channel.errored, null);
});

test("destroy() closes the channel at once, though the caller does not read", async () => {
  await using line = await forwarded();
  const { caller, channel } = await line.connect();
  channel.write(Buffer.alloc(8 * megabyte));
  await settled(() => channel.writableLength);
  channel.destroy();
  await once(channel, "close");
  caller.resume();
  await once(caller, "close");
  assert.equal(line.closed.aborted, false);
});

test("a reader that stops costs no more than the window", async () => {
  await using line = await forwarded();
  const { caller, channel } = await line.connect();
  caller.write(Buffer.alloc(8 * megabyte));
  channel.pause();
  await settled(() => channel.readableLength);
  assert.equal(channel.readableLength, receiveWindowBytes);
  // And goes on where it stopped.
  caller.eof();
  channel.resume();
  await once(channel, "end");
});

test("a server whose line is full stops all writers, and then serves each", async () => {
  await using line = await forwarded({ silenceMs: 60_000 });
  const pairs = await Promise.all(Array.from({ length: 20 }, () => line.connect()));
  line.server.freeze();
  let taken = 0;
  for (const { channel } of pairs) {
    void pipeline(
      Readable.from(bulk(4 * megabyte)),
      async function* (chunks) {
        for await (const chunk of chunks) {
          taken += chunk.length;
          yield chunk;
        }
      },
      channel,
    ).catch(() => {});
  }
  // 20 buffers of 64 KiB and some chunks of up to 80 KB; ssh2 by itself would take a window of 2 MiB for each.
  assert((await settled(() => taken)) < 12 * megabyte, String(taken));
  line.server.thaw();
  const wanted = await digestOf(Readable.from(bulk(4 * megabyte)));
  for (const digest of await Promise.all(pairs.map(({ caller }) => digestOf(caller)))) assert.equal(digest, wanted);
});

test("connections beyond the limit are refused, and told of, until one of those before has ended", async () => {
  await using line = await forwarded({ maxChannels: 3 });
  const pairs = await Promise.all([line.connect(), line.connect(), line.connect()]);
  assert.deepEqual(line.refusals, []);
  await assert.rejects(line.server.connect(web), /Channel open failure/);
  assert.deepEqual(line.refusals, ["more than 3 connections at a time"]);
  const [first] = pairs;
  assert(first !== undefined);
  first.caller.resume().end();
  first.channel.resume().end();
  await once(first.channel, "close");
  await settled(() => 0);
  await line.connect();
});

test("200 channels work beside 50 that nobody reads", async () => {
  await using line = await forwarded();
  const stalled = await Promise.all(Array.from({ length: 50 }, () => line.connect()));
  for (const { caller, channel } of stalled) {
    channel.pause();
    caller.write(Buffer.alloc(3 * megabyte));
    channel.write(Buffer.alloc(3 * megabyte));
  }
  const pairs = await Promise.all(Array.from({ length: 200 }, () => line.connect()));
  await Promise.all(
    pairs.map(async ({ caller, channel }, index) => {
      channel.pipe(channel);
      caller.write(`number ${index}`);
      caller.eof();
      assert.equal(await textOf(caller), `number ${index}`);
    }),
  );
  assert.equal(
    stalled.reduce((sum, { channel }) => sum + channel.readableLength, 0),
    50 * receiveWindowBytes,
  );
});

test("every channel is destroyed with the connection, stalled or not", async () => {
  await using line = await forwarded();
  const pairs = await Promise.all(Array.from({ length: 20 }, () => line.connect()));
  const closes = pairs.map(({ channel }) => once(channel, "close").catch((error) => error));
  for (const [index, { caller, channel }] of pairs.entries()) {
    if (index % 2 === 0) caller.write(Buffer.alloc(megabyte));
    if (index % 3 === 0) channel.write(Buffer.alloc(4 * megabyte));
    if (index % 5 === 0) channel.end();
    if (index % 7 === 0) caller.eof();
  }
  await settled(() => pairs.reduce((sum, { channel }) => sum + channel.readableLength, 0));
  line.server.cut();
  await Promise.all(closes);
  assert(pairs.every(({ channel }) => channel.destroyed));
  assert(line.closed.aborted);
});

test("a server that sends more than it was allowed to loses the connection", async () => {
  await using line = await forwarded();
  const { caller, channel } = await line.connect();
  channel.pause();
  // Says that the client had made room.
  const outgoing: unknown = caller.outgoing;
  assert(typeof outgoing === "object" && outgoing !== null);
  Reflect.set(outgoing, "window", 100 * megabyte);
  caller.write(Buffer.alloc(2 * megabyte));
  await once(line.closed, "abort");
  assert.match(line.closed.reason.message, /more than it was allowed to$/);
});
