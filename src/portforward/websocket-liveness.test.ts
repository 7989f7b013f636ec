import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { WebSocketLiveness } from "./websocket-liveness.ts";

/** Its timers come late by as much as the process stood still. */
class StallingClock extends FakeClock {
  stalledMs = 0;

  override monotonic(): number {
    return super.monotonic() + this.stalledMs;
  }
}

/** What is watched, and what came of it. */
function watched() {
  const clock = new StallingClock();
  const pings: Buffer[] = [];
  const lost: number[] = [];
  const socket = { paused: false, backlog: false };
  const startedMs = clock.monotonic();
  const liveness = new WebSocketLiveness(clock, {
    isPaused: () => socket.paused,
    hasBacklog: () => socket.backlog,
    ping: (payload) => pings.push(payload),
    lost: () => lost.push(clock.monotonic() - startedMs),
  });
  const pong = () => {
    liveness.heard();
    liveness.answered(pings.at(-1) ?? Buffer.alloc(0));
  };
  return { clock, pings, lost, socket, liveness, pong };
}

test("WebSocketLiveness pings every 10 s with another payload each time, by one timer", async () => {
  const { clock, pings, lost, pong, liveness } = watched();
  await clock.advance(9_999);
  assert.equal(pings.length, 0);
  await clock.advance(1);
  for (let count = 1; count <= 5; count++) {
    assert.equal(pings.length, count);
    assert.equal(clock.pending, 1);
    await clock.advance(20);
    pong();
    await clock.advance(9_980);
  }
  assert.equal(new Set(pings.map(String)).size, 6);
  assert.deepEqual(lost, []);
  liveness[Symbol.dispose]();
  assert.equal(clock.pending, 0);
});

test("WebSocketLiveness says that it is lost 15 s after the last sign, whenever that was", async () => {
  for (const lastMs of [0, 1, 5_000, 9_999, 10_001, 10_020, 17_000, 19_999]) {
    const { clock, lost, liveness, pong } = watched();
    const first = Math.min(lastMs, 10_000);
    await clock.advance(first);
    if (lastMs > first) pong();
    await clock.advance(lastMs - first);
    liveness.heard();
    await clock.advance(60_000);
    assert.deepEqual(lost, [lastMs + 15_000]);
    assert.equal(clock.pending, 0);
  }
});

test("WebSocketLiveness waits as long as nothing can be heard, and gives time for an answer afterwards", async () => {
  for (const why of ["paused", "backlog"] as const) {
    const { clock, lost, socket, pings } = watched();
    socket[why] = true;
    await clock.advance(100_000);
    socket[why] = false;
    assert.deepEqual(lost, []);
    assert.equal(pings.length, 1);
    await clock.advance(15_000);
    assert.equal(lost.length, 1);
    assert.ok((lost[0] ?? 0) >= 105_000, `${lost[0]} ms`);
  }
});

test("WebSocketLiveness waits while more than 64 KiB may stand before the ping, until a ping behind them is answered", async () => {
  const { clock, lost, liveness, pings, pong } = watched();
  liveness.sent(65_537);
  await clock.advance(30_000);
  assert.deepEqual([pings.length, lost], [1, []]);
  liveness.sent(1_000);
  await clock.advance(5_000);
  pong();
  await clock.advance(30_000);
  assert.equal(lost.length, 1);
});

test("WebSocketLiveness takes no other pong for the answer to its ping", async () => {
  const { clock, liveness, pings } = watched();
  await clock.advance(10_000);
  liveness.answered(Buffer.from("what a gateway says of its own accord"));
  for (let second = 0; second < 30; second++) {
    liveness.heard();
    await clock.advance(1_000);
  }
  assert.equal(pings.length, 1);
});

test("WebSocketLiveness blames nobody when this process was not there", async () => {
  const { clock, lost } = watched();
  await clock.advance(10_000);
  clock.stalledMs = 30_000;
  await clock.advance(5_000);
  assert.deepEqual(lost, []);
  await clock.advance(15_000);
  assert.equal(lost.length, 1);
});
