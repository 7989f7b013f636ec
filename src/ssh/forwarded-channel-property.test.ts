import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { channelTaker } from "../../test/support/channel-taker.ts";
import { startSshServer } from "../../test/support/ssh-server.ts";
import { port } from "../model/port.ts";
import { connectSsh } from "./ssh-client.ts";

const { signal } = new AbortController();
const web = port(8080);

/** Sizes around a packet (32 KiB), the marks of a stream and the window (512 KiB). */
const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 300_000 })), {
  maxLength: 12,
});
const side = fc.record({
  chunks: sizes,
  /** So much is read at once, and so many turns of the loop pass in between. */
  readSize: fc.integer({ min: 1_000, max: 700_000 }),
  turns: fc.integer({ min: 0, max: 5 }),
});

interface Side {
  readonly chunks: readonly number[];
  readonly readSize: number;
  readonly turns: number;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function content(chunks: readonly number[]): Buffer[] {
  return chunks.map((length, index) => Buffer.alloc(length, createHash("sha256").update(`${index}`).digest()));
}

async function send(stream: Writable, chunks: readonly Buffer[], end: () => void): Promise<void> {
  for (const chunk of chunks) await new Promise<void>((resolve) => stream.write(chunk, () => resolve()));
  end();
}

/** Reads by hand, as somebody does who is not always there. */
async function readAll(stream: Readable, { readSize, turns }: Side): Promise<Buffer> {
  const parts: Buffer[] = [];
  let isEnded = false;
  stream.once("end", () => {
    isEnded = true;
  });
  while (!isEnded) {
    const part: Buffer | null = stream.read(Math.max(1, Math.min(readSize, stream.readableLength)));
    if (part !== null) parts.push(part);
    for (let count = 0; count <= turns; count++) await turn();
  }
  return Buffer.concat(parts);
}

test("a channel brings whatever is written, however it is cut and however slowly it is read, and then closes", async () => {
  await using server = startSshServer();
  await using ssh = await connectSsh(server.transport, server.identity, signal);
  const { take, next } = channelTaker();
  await ssh.forward(web, take, signal);
  await fc.assert(
    fc.asyncProperty(side, side, async (up, down) => {
      const [caller, channel] = await Promise.all([server.connect(web), next()]);
      const [sent, answered] = [content(up.chunks), content(down.chunks)];
      const [got, gotBack] = await Promise.all([
        readAll(channel, up),
        readAll(caller, down),
        send(caller, sent, () => caller.eof()),
        send(channel, answered, () => channel.end()),
      ]);
      assert(got.equals(Buffer.concat(sent)));
      assert(gotBack.equals(Buffer.concat(answered)));
      caller.close();
      while (!channel.closed) await turn();
      assert.equal(channel.errored, null);
    }),
    { numRuns: 60 },
  );
});
