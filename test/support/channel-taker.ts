/** Somebody who takes what comes to a forwarded port, and what is read off it. */
import { createHash } from "node:crypto";
import type { Duplex, Readable } from "node:stream";

/** Keeps channels until they are asked for, in order. */
export interface ChannelTaker {
  readonly take: (channel: Duplex) => void;
  readonly next: () => Promise<Duplex>;
}

/** Makes one; errors of its channels go unnoticed unless the test looks. */
export function channelTaker(): ChannelTaker {
  const channels: Duplex[] = [];
  const waiting: ((channel: Duplex) => void)[] = [];
  return {
    take(channel) {
      channel.on("error", () => {});
      const next = waiting.shift();
      if (next === undefined) channels.push(channel);
      else next(channel);
    },
    next: () =>
      new Promise((resolve) => {
        const first = channels.shift();
        if (first === undefined) waiting.push(resolve);
        else resolve(first);
      }),
  };
}

/** All that comes until the end, as text. Leaves the stream as it is: it may have more to write. */
export async function textOf(stream: Readable): Promise<string> {
  let all = "";
  await each(stream, (chunk) => {
    all += String(chunk);
  });
  return all;
}

/** The length and the SHA-256 of all that comes until the end. */
export async function digestOf(stream: Readable): Promise<string> {
  const hash = createHash("sha256");
  let length = 0;
  await each(stream, (chunk) => {
    hash.update(chunk);
    length += chunk.length;
  });
  return `${length} ${hash.digest("hex")}`;
}

function each(stream: Readable, see: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.on("data", see);
    stream.once("end", resolve);
    stream.once("error", reject);
    stream.once("close", () => reject(new Error("closed before its end")));
  });
}

/** So many bytes that nothing repeats in, in chunks of odd sizes. */
export function* bulk(length: number): Generator<Buffer> {
  let seed = createHash("sha256").update(String(length)).digest();
  for (let left = length; left > 0; ) {
    seed = createHash("sha256").update(seed).digest();
    const chunk = Buffer.alloc(Math.min(left, 1 + (seed.readUInt32BE() % 80_000)), seed);
    left -= chunk.length;
    yield chunk;
  }
}
