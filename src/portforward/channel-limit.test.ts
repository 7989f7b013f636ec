import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError } from "../errors.ts";
import { port } from "../model/port.ts";
import { ChannelLimit } from "./channel-limit.ts";

const endpoint = { pod: { namespace: "shop", name: "cart-0", uid: "u1" }, port: port(80) };
const { signal: never } = new AbortController();
const head = Buffer.alloc(0);
const opened = () => Promise.resolve({ socket: duplexPair().near, head });

function limited(connections: number) {
  const clock = new FakeClock();
  return { clock, limit: new ChannelLimit(clock, { connections, patienceMs: 5_000 }) };
}

test("ChannelLimit.hold() hands the places on in the order in which they were asked for", async () => {
  const { clock, limit } = limited(2);
  const first = await limit.hold(endpoint, never, opened);
  const second = await limit.hold(endpoint, never, opened);
  const served: string[] = [];
  const waiting = ["a", "b"].map(async (name) => {
    const held = await limit.hold(endpoint, never, opened);
    served.push(name);
    return held;
  });
  await turns();
  assert.deepEqual(served, []);
  first.socket.destroy();
  await waiting[0];
  assert.deepEqual(served, ["a"]);
  second.socket.destroy();
  for (const held of await Promise.all(waiting)) held.socket.destroy();
  await turns();
  assert.equal(limit.size, 0);
  assert.equal(clock.pending, 0);
});

test("ChannelLimit.hold() gives the place of what failed to the next, and counts a socket that was closed already out", async () => {
  const { limit } = limited(1);
  const dial = Promise.withResolvers<never>();
  const failed = assert.rejects(
    limit.hold(endpoint, never, () => dial.promise),
    { code: "refused" },
  );
  const next = limit.hold(endpoint, never, async () => {
    const upgraded = await opened();
    upgraded.socket.destroy();
    await once(upgraded.socket, "close");
    return upgraded;
  });
  dial.reject(new LocalizerError("refused", "Nobody there"));
  await failed;
  await next;
  assert.equal(limit.size, 0);
});

test("ChannelLimit.hold() throws after 5 s, or when the caller leaves, and keeps no place", async () => {
  const { clock, limit } = limited(1);
  const { socket } = await limit.hold(endpoint, never, opened);
  const controller = new AbortController();
  const left = assert.rejects(limit.hold(endpoint, controller.signal, opened), { code: "aborted" });
  const impatient = assert.rejects(limit.hold(endpoint, never, opened), {
    code: "unavailable",
    message: "Cannot forward to shop/cart-0:80: the limit of 1 connections to pods is reached",
  });
  controller.abort();
  await left;
  await clock.advance(5_000);
  await impatient;
  socket.destroy();
  await turns();
  assert.equal(limit.size, 0);
  await assert.rejects(limit.hold(endpoint, controller.signal, opened), { code: "aborted" });
  assert.equal(clock.pending, 0);
});

test("ChannelLimit's disposing closes what is open", async () => {
  const { limit } = limited(2);
  const { socket } = await limit.hold(endpoint, never, opened);
  limit[Symbol.dispose]();
  await turns();
  assert.ok(socket.destroyed);
  assert.equal(limit.size, 0);
});
