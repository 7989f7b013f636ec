/** `Stats` and `WatchStats` over a real socket: the client against the server. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp2 } from "node:http2";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { openFakeDaemon, someCluster, temporaryFolder } from "../../test/rpc/fake-daemon.ts";
import { cartStats, servedStats } from "../../test/rpc/fake-stats.ts";
import { until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { connectDaemon } from "./client.ts";
import type { ServiceStats } from "./service-stats.ts";

const web = servedStats("shop", "web");

/** A daemon whose time and figures the test moves, and a client of it. */
async function watched(figures: readonly ServiceStats[]) {
  const clock = new FakeClock();
  const state = { now: figures };
  const daemon = await openFakeDaemon({ stats: () => state.now }, { clock });
  const client = connectDaemon({ socketPath: daemon.socketPath });
  return {
    ...{ clock, state, daemon, client },
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await daemon[Symbol.asyncDispose]();
    },
  };
}

test("DaemonClient.stats() gives every figure, and the cluster", async () => {
  await using made = await watched([cartStats, web]);
  assert.deepEqual(await made.client.stats(), { cluster: someCluster.cluster(), services: [cartStats, web] });
  assert.equal(made.clock.pending, 0);
});

test("DaemonClient.watchStats() gives everything at once, then changes; leaving the loop leaves the daemon no timer", async () => {
  await using made = await watched([cartStats, web]);
  const { clock, state } = made;
  const told: unknown[] = [];
  for await (const change of made.client.watchStats({ intervalMs: 200 })) {
    told.push(change);
    if (told.length === 3) break;
    state.now = told.length === 1 ? [servedStats("shop", "cart"), web] : [web];
    assert.equal(await clock.asleep(), 200);
    await clock.advance(200);
  }
  assert.deepEqual(told, [
    { services: [cartStats, web], removed: [] },
    { services: [servedStats("shop", "cart")], removed: [] },
    { services: [], removed: [{ namespace: "shop", name: "cart" }] },
  ]);
  await until(() => clock.pending === 0);
  assert.equal((await made.client.stats()).services.length, 1, "the client is still of use");
});

test("DaemonClient.watchStats() takes any number for its interval", async () => {
  const expected: readonly (readonly [number | undefined, number])[] = [
    ...([-1, 0, 0.5, 100.2, Number.NaN, Number.NEGATIVE_INFINITY] as const).map((given) => [given, 100] as const),
    ...([
      [undefined, 1_000],
      [100.6, 101],
      [5e9, 2 ** 32 - 1],
      [Number.POSITIVE_INFINITY, 2 ** 32 - 1],
    ] as const),
  ];
  for (const [intervalMs, slept] of expected) {
    await using made = await watched([web]);
    const changes = made.client.watchStats(intervalMs === undefined ? {} : { intervalMs })[Symbol.asyncIterator]();
    assert.deepEqual((await changes.next()).value, { services: [web], removed: [] });
    const next = changes.next();
    assert.equal(await made.clock.asleep(), slept, `${intervalMs}`);
    await made.client[Symbol.asyncDispose]();
    await assert.rejects(next, { code: "aborted" });
  }
});

test("DaemonClient.watchStats() ends in order when the daemon ends", async () => {
  await using made = await watched([web]);
  const changes = made.client.watchStats()[Symbol.asyncIterator]();
  await changes.next();
  const next = changes.next();
  await made.clock.asleep();
  const closed = made.daemon.server[Symbol.asyncDispose]();
  assert.deepEqual(await next, { value: undefined, done: true });
  await closed;
  assert.equal(made.clock.pending, 0);
});

test("DaemonClient.watchStats() ends as soon as the daemon begins to stop, and takes no service for deleted", async () => {
  const stop = new AbortController();
  const clock = new FakeClock();
  let now = [web];
  await using daemon = await openFakeDaemon({ stats: () => now, stopping: stop.signal }, { clock });
  await using client = connectDaemon({ socketPath: daemon.socketPath });
  const changes = client.watchStats()[Symbol.asyncIterator]();
  await changes.next();
  const next = changes.next();
  await clock.asleep();
  stop.abort();
  now = [];
  assert.deepEqual(await next, { value: undefined, done: true });
  assert.equal(clock.pending, 0);
});

test("DaemonClient.stats() and watchStats() say when the daemon is too old to know them", async () => {
  using folder = temporaryFolder();
  const socketPath = join(folder.path, "s");
  const old = createHttp2(connectNodeAdapter({ routes: () => {} })).listen(socketPath);
  await once(old, "listening");
  {
    await using client = connectDaemon({ socketPath });
    const tooOld = {
      code: "not-found",
      message: `The daemon on "${socketPath}" is older than this and counts nothing; start it anew`,
    };
    await assert.rejects(client.stats(), tooOld);
    await assert.rejects(client.watchStats()[Symbol.asyncIterator]().next(), tooOld);
  }
  old.close();
});

test("DaemonClient.watchStats() throws `aborted` when the signal fires or the client hangs up, and the daemon stops looking", async () => {
  for (const how of ["signal", "hang up"] as const) {
    await using made = await watched([web]);
    const stop = new AbortController();
    const changes = made.client.watchStats({ signal: stop.signal })[Symbol.asyncIterator]();
    await changes.next();
    const next = assert.rejects(changes.next(), { code: "aborted" }, how);
    await made.clock.asleep();
    if (how === "signal") stop.abort();
    else await made.client[Symbol.asyncDispose]();
    await next;
    await until(() => made.clock.pending === 0);
  }
  const { client, ...made } = await watched([web]);
  await using _made = made;
  const late = client.watchStats({ signal: AbortSignal.abort() })[Symbol.asyncIterator]();
  await assert.rejects(late.next(), { code: "aborted" });
});

test("DaemonClient.watchStats() throws `timeout` when nothing comes at first, and waits for changes as long as it takes", async () => {
  using folder = temporaryFolder();
  const socketPath = join(folder.path, "s");
  await using silent = createServer((socket) => void socket.on("error", () => {}));
  silent.listen(socketPath);
  await once(silent, "listening");
  const clock = new FakeClock();
  const client = connectDaemon({ socketPath, clock });
  const first = assert.rejects(client.watchStats({ timeoutMs: 500 })[Symbol.asyncIterator]().next(), {
    code: "timeout",
    message: `Cannot watch stats over "${socketPath}": no answer within 500 ms`,
  });
  await until(() => clock.pending > 0);
  await clock.advance(500);
  await first;
  assert.equal(clock.pending, 0);
  await client[Symbol.asyncDispose]();

  await using made = await watched([web]);
  const patient = connectDaemon({ socketPath: made.daemon.socketPath, clock });
  const changes = patient.watchStats({ timeoutMs: 500 })[Symbol.asyncIterator]();
  await changes.next();
  assert.equal(clock.pending, 0, "no deadline after the first");
  await patient[Symbol.asyncDispose]();
});

test("DaemonClient.watchStats() says `no-daemon` when nobody answers, and what the daemon cannot tell", async () => {
  using folder = temporaryFolder();
  await using nobody = connectDaemon({ socketPath: join(folder.path, "none") });
  await assert.rejects(nobody.watchStats()[Symbol.asyncIterator]().next(), { code: "no-daemon" });
  await using daemon = await openFakeDaemon({
    stats() {
      throw new Error("a fault");
    },
  });
  await using client = connectDaemon({ socketPath: daemon.socketPath });
  await assert.rejects(client.watchStats()[Symbol.asyncIterator]().next(), { code: "internal" });
  await assert.rejects(client.stats(), { code: "internal" });
});
