import assert from "node:assert/strict";
import { test } from "node:test";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { ClientFrames, serverFrame } from "../../test/support/websocket-peer.ts";
import { codeOf } from "../errors.ts";
import { port } from "../model/port.ts";
import { V4Channel } from "./v4-channel.ts";

const endpoint = { pod: { namespace: "shop", name: "cart-0", uid: "u1" }, port: port(8080) };
const named = Buffer.concat([0, 1].map((channel) => serverFrame(2, Buffer.from([channel, 0x90, 0x1f]))));

/** Its timers come late by as much as the process stood still. */
class StallingClock extends FakeClock {
  stalledMs = 0;

  override monotonic(): number {
    return super.monotonic() + this.stalledMs;
  }
}

/** A channel that is looked after, and a runtime that answers its pings as long as it shall. */
function channelled() {
  const { near, far } = duplexPair();
  const clock = new StallingClock();
  const far4 = { answers: true, path: "alive" as "alive" | "dead", circumstances: "", pings: 0, owed: [] as Buffer[] };
  const reader = new ClientFrames();
  far.on("data", (chunk: Buffer) => {
    for (const { opcode, payload } of reader.push(chunk)) {
      if (opcode !== 9) continue;
      far4.pings++;
      if (far4.answers) far.write(serverFrame(10, payload));
      else far4.owed.push(payload);
    }
  });
  const health = { askPath: async () => far4.path, circumstances: () => far4.circumstances };
  const channel = new V4Channel({ socket: near, head: named }, endpoint, { clock, health });
  const seconds = async (most: number): Promise<number> => {
    for (let second = 1; second <= most; second++) {
      await clock.advance(1_000);
      await turns(4);
      if (channel.destroyed) return second;
    }
    return Number.POSITIVE_INFINITY;
  };
  return { channel, clock, far, far4, seconds };
}

const never = Number.POSITIVE_INFINITY;

test("V4Channel pings in silence, and is lost within 15 s when nothing comes any more", async () => {
  const { channel, clock, far4, seconds } = channelled();
  assert.equal(await seconds(60), never);
  assert.ok(far4.pings >= 10 && far4.pings <= 14, `${far4.pings} pings`);
  far4.answers = false;
  const noticed = await seconds(60);
  assert.ok(noticed >= 8 && noticed <= 15, `after ${noticed} s`);
  assert.equal(codeOf(channel.errored), "unavailable");
  assert.equal(clock.pending, 0);
});

test("V4Channel is not lost where no ping was ever answered", async () => {
  const { far4, seconds } = channelled();
  far4.answers = false;
  assert.equal(await seconds(120), never);
});

test("V4Channel is not lost while its reader is behind", async () => {
  const { channel, far, far4, seconds } = channelled();
  await seconds(10);
  far.write(serverFrame(2, Buffer.alloc(100_000)));
  await turns();
  assert.ok(channel.readableLength > 0);
  far4.answers = false;
  assert.equal(await seconds(60), never);
});

test("V4Channel waits for an application that does not read, not for a black hole behind it", async () => {
  const { channel, far, far4, seconds } = channelled();
  await seconds(10);
  far.pause();
  channel.write(Buffer.alloc(1_000_000));
  assert.equal(await seconds(60), never);
  far4.path = "dead";
  assert.ok((await seconds(60)) <= 15);
});

test("V4Channel has to answer soon when circumstances are others", async () => {
  const { far4, seconds } = channelled();
  await seconds(30);
  far4.circumstances = "another network";
  assert.equal(await seconds(30), never);
  far4.answers = false;
  far4.circumstances = "one more";
  assert.ok((await seconds(30)) <= 6);
});

test("V4Channel is not lost as long as anything comes, be it the server's own pings", async () => {
  const { far, far4, seconds } = channelled();
  await seconds(10);
  far4.answers = false;
  for (let time = 0; time < 10; time++) {
    far.write(serverFrame(9, Buffer.from("own")));
    assert.equal(await seconds(5), never);
  }
});

test("V4Channel takes no other pong for the answer to a ping", async () => {
  const { far, far4, seconds } = channelled();
  far4.answers = false;
  const says = ["", "what a gateway says of its own accord", "\0\0\0\x02".repeat(5), "\0\0\0\x02"];
  for (const text of says) far.write(serverFrame(10, Buffer.from(text)));
  assert.equal(await seconds(120), never);
  assert.ok(far4.pings >= 1 && far4.pings <= 25, `${far4.pings} pings`);
});

test("V4Channel blames nobody when this process was not there, and gives time for an answer", async () => {
  const { clock, far4, seconds } = channelled();
  await seconds(10);
  far4.answers = false;
  await seconds(6);
  clock.stalledMs = 30_000;
  assert.equal(await seconds(5), never);
  assert.ok((await seconds(30)) <= 15);
});

test("V4Channel gives time for an answer when an application reads at last", async () => {
  const { channel, far, far4, seconds } = channelled();
  await seconds(10);
  far4.answers = false;
  far.pause();
  channel.write(Buffer.alloc(1_000_000));
  await seconds(60);
  far.resume();
  assert.equal(await seconds(5), never);
  for (const payload of far4.owed) far.write(serverFrame(10, payload));
  far4.answers = true;
  assert.equal(await seconds(60), never);
});

test("V4Channel asks the path once more than 64 KiB stand before its pings, until the last of them is taken", async () => {
  const { channel, far, far4, seconds } = channelled();
  await seconds(10);
  far4.answers = false;
  channel.write(Buffer.alloc(65_537));
  assert.equal(await seconds(30), never);
  channel.write(Buffer.alloc(1_000));
  for (const payload of far4.owed.splice(0)) far.write(serverFrame(10, payload));
  assert.equal(await seconds(30), never);
  for (const payload of far4.owed.splice(0)) far.write(serverFrame(10, payload));
  assert.ok((await seconds(30)) <= 15);
});
