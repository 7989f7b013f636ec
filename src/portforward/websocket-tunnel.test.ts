import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { turns } from "../../test/support/event-loop.ts";
import { type ClientFrame, ClientFrames, closeFrame, serverFrame } from "../../test/support/websocket-peer.ts";
import { WebSocketTunnel } from "./websocket-tunnel.ts";

/** A tunnel, and the frames that arrive at its far end. */
function tunnelled(head: Buffer = Buffer.alloc(0)) {
  const { near, far } = duplexPair();
  const frames: ClientFrame[] = [];
  const reader = new ClientFrames();
  far.on("data", (chunk: Buffer) => frames.push(...reader.push(chunk)));
  return { tunnel: new WebSocketTunnel(near, head), near, far, frames };
}

test("WebSocketTunnel sends what is written in one turn as one message, with a new key each", async () => {
  const { tunnel, frames } = tunnelled();
  for (const turn of ["a", "b"]) {
    tunnel.write(turn);
    tunnel.write(Buffer.alloc(70_000, turn));
    await turns();
  }
  assert.deepEqual(
    frames.map(({ opcode, fin, payload }) => [opcode, fin, payload.length, String(payload.subarray(0, 1))]),
    [
      [2, true, 70_001, "a"],
      [2, true, 70_001, "b"],
    ],
  );
  const keys = new Set(frames.map(({ key }) => key));
  assert.equal(keys.size, 2);
});

test("WebSocketTunnel calls back for what was written", async () => {
  const { tunnel } = tunnelled();
  const done: string[] = [];
  tunnel.write("a", () => done.push("a"));
  tunnel.write("b", "utf8", () => done.push("b"));
  await turns();
  assert.deepEqual(done, ["a", "b"]);
});

test("WebSocketTunnel reads the bytes that came with the answer, then fragments with control frames between", async () => {
  const { tunnel, far, frames } = tunnelled(serverFrame(2, Buffer.from("one ")));
  const read: string[] = [];
  tunnel.on("data", (chunk: Buffer) => read.push(String(chunk)));
  far.write(
    Buffer.concat([
      serverFrame(2, Buffer.from("two "), false),
      serverFrame(9, Buffer.from("there?")),
      serverFrame(0, Buffer.from("three")),
      serverFrame(10, Buffer.alloc(0)),
    ]),
  );
  await turns();
  assert.equal(read.join(""), "one two three");
  assert.deepEqual(
    frames.map(({ opcode, payload }) => [opcode, String(payload)]),
    [[10, "there?"]],
  );
});

test("WebSocketTunnel ends at a close 1000, and answers it", async () => {
  const { tunnel, far, frames } = tunnelled();
  far.write(Buffer.concat([serverFrame(2, Buffer.from("last")), closeFrame(1000)]));
  const parts: string[] = [];
  for await (const part of tunnel.iterator({ destroyOnReturn: false })) parts.push(String(part));
  assert.deepEqual(parts, ["last"]);
  await turns();
  assert.deepEqual(
    frames.map(({ opcode, payload }) => [opcode, payload.toString("hex")]),
    [[8, "03e8"]],
  );
  tunnel.destroy();
});

test("WebSocketTunnel fails with the reason when it is closed or lost in any other way", async () => {
  const ways: Readonly<Record<string, (parts: ReturnType<typeof tunnelled>) => unknown>> = {
    "closed \\(1011: no more\\)": ({ far }) => far.write(closeFrame(1011, "no more")),
    "closed \\(1005\\)": ({ far }) => far.write(serverFrame(8, Buffer.alloc(0))),
    "the connection was ended": ({ far }) => far.end(),
    "a text message": ({ far }) => far.write(serverFrame(1, Buffer.from("hello"))),
    ECONNRESET: ({ near }) => near.destroy(new Error("read ECONNRESET")),
  };
  for (const [reason, lose] of Object.entries(ways)) {
    const parts = tunnelled();
    const closed = once(parts.tunnel.resume(), "close");
    lose(parts);
    await assert.rejects(closed, { code: "unavailable", message: new RegExp(`^Lost the tunnel .*${reason}`) });
    assert.ok(parts.near.destroyed, reason);
  }
});

test("WebSocketTunnel.destroy() says goodbye and closes the socket", async () => {
  const { tunnel, near, frames } = tunnelled();
  tunnel.destroy();
  await turns();
  assert.ok(near.destroyed);
  assert.deepEqual(
    frames.map(({ opcode }) => opcode),
    [8],
  );
  tunnel.write("too late", () => {});
  await turns();
  assert.equal(frames.length, 1);
});

test("WebSocketTunnel.end() says goodbye behind all that was written, and ends when the server does", async () => {
  const { tunnel, far, frames } = tunnelled();
  tunnel.end("last words");
  await turns();
  assert.deepEqual(
    frames.map(({ opcode, payload }) => [opcode, String(payload.subarray(0, 4))]),
    [
      [2, "last"],
      [8, "\u0003\ufffd"],
    ],
  );
  const ended = once(tunnel.resume(), "end");
  far.end(closeFrame(1000));
  await ended;
});

test("WebSocketTunnel holds its writer back while the server takes nothing", async () => {
  const { tunnel, near, far } = tunnelled();
  far.pause();
  const chunk = Buffer.alloc(16_384);
  let written = 0;
  while (written < 100 && tunnel.write(chunk)) {
    written++;
    await turns(2);
  }
  assert.ok(written < 100, "it took everything");
  assert.ok(near.writableLength <= 4 * near.writableHighWaterMark + tunnel.writableHighWaterMark);
  const drained = once(tunnel, "drain");
  far.resume();
  await drained;
});

test("WebSocketTunnel answers only the newest ping of a server that does not read", async () => {
  const { tunnel, near, far, frames } = tunnelled();
  far.pause();
  while (!near.writableNeedDrain) {
    tunnel.write(Buffer.alloc(16_384));
    await turns(2);
  }
  const queued = near.writableLength;
  for (let count = 1; count <= 1_000; count++) far.write(serverFrame(9, Buffer.from(`ping ${count}`)));
  await turns(1_100);
  assert.equal(near.writableLength, queued);
  far.resume();
  await turns(50);
  far.write(serverFrame(9, Buffer.from("now it reads")));
  await turns();
  assert.deepEqual(
    frames.filter(({ opcode }) => opcode === 10).map(({ payload }) => String(payload)),
    ["ping 1000", "now it reads"],
  );
});

test("WebSocketTunnel holds the server back while nobody reads", async () => {
  const { tunnel, far } = tunnelled();
  let sent = 0;
  for (; sent < 400 && far.write(serverFrame(2, Buffer.alloc(16_384))); sent++) await turns(3);
  assert.ok(sent < 400, "it took everything");
  assert.ok(tunnel.readableLength <= 4 * 65_536, `${tunnel.readableLength} bytes queued`);
  let read = 0;
  tunnel.on("data", (chunk: Buffer) => {
    read += chunk.length;
  });
  await turns();
  assert.equal(read, (sent + 1) * 16_384);
});
