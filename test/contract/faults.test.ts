/** Each fault of the sandbox, against a reflector whose time stands still: what a real server cannot be told to do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ObjectCache } from "../../src/kube/object-cache.ts";
import { Logger } from "../../src/log.ts";
import type { SandboxApiServer, SandboxOptions } from "../../src/sandbox/api-server.ts";
import type { Fault } from "../../src/sandbox/faults.ts";
import { turns, until } from "../support/event-loop.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { startSandbox } from "../support/sandbox.ts";
import { leases } from "./api-target.ts";
import { Notes } from "./observe.ts";

const namespace = "team-a";
const isWatch = (call: { readonly verb: string } | undefined) => call?.verb === "watch";
const isList = (call: { readonly verb: string } | undefined) => call?.verb === "list";

/** A sandbox with one Lease, and a follower of Leases. Back-off is 0.8, 1.6 … s; all time is the test's. */
async function setUp(options: SandboxOptions = {}) {
  const stack = new AsyncDisposableStack();
  const clock = new FakeClock();
  const sandbox = stack.use(await startSandbox({ namespaces: [namespace], ...options }, clock));
  const { server } = sandbox;
  addLease(server, "ada");
  const notes = new Notes();
  const log = new Logger(({ level, message }) => notes.add(`${level} ${message}`));
  const client = sandbox.client(clock);
  const objects = stack.use(new ObjectCache({ client, clock, log, random: () => 1 }));
  const follow = () => {
    const followed = stack.use(objects.follow(leases));
    followed.onChange(notes.wake);
    followed.onStatus(({ state }) => notes.add(state));
    const watching = () => until(() => followed.status.state === "watching" && server.watches === 1);
    return { followed, watching, names: () => followed.objects.list().map(({ name }) => name) };
  };
  return {
    ...sandbox,
    apiClient: client,
    objects,
    clock,
    notes,
    follow,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function addLease(server: SandboxApiServer, name: string): void {
  server.objects.create({ resource: server.resource("leases.coordination.k8s.io"), namespace }, { metadata: { name } });
}

/** Ends the wait of a back-off, and gives how long it was. */
async function backOff(clock: FakeClock): Promise<number> {
  const ms = await clock.asleep();
  await clock.advance(ms);
  return ms;
}

const lists: readonly (readonly [name: string, fault: Fault, waitMs: number, state: string])[] = [
  ["unauthorized", { kind: "unauthorized" }, 800, "denied"],
  ["forbidden", { kind: "forbidden" }, 800, "denied"],
  ["gone", { kind: "gone" }, 0, "syncing"],
  ["busy", { kind: "busy", retryAfterSeconds: 7 }, 7_000, "syncing"],
  ["a failure", { kind: "failure", code: 500 }, 800, "retrying"],
  ["a failure for a proxy", { kind: "failure", code: 503 }, 800, "retrying"],
  ["broken JSON", { kind: "broken-json" }, 800, "retrying"],
];

for (const [name, fault, waitMs, state] of lists) {
  test(`Reflector gets over a list that is answered with ${name}`, async () => {
    await using t = await setUp();
    t.server.faults.onRequest(isList, fault);
    const { followed, watching, names } = t.follow();
    assert.equal(await t.clock.asleep(), waitMs);
    assert.equal(followed.status.state, state);
    await backOff(t.clock);
    await watching();
    assert.deepEqual(names(), ["ada"]);
  });
}

for (const kind of ["reset", "cut"] as const) {
  test(`Reflector gets over a list that meets a ${kind}, for a GET is sent again`, async () => {
    await using t = await setUp();
    t.server.faults.onRequest(isList, { kind });
    const { watching, names } = t.follow();
    await watching();
    assert.deepEqual(names(), ["ada"]);
    assert.deepEqual(t.calls, ["list leases 0", "list leases 0", `watch leases ${t.server.store.version}`]);
  });
}

test("Reflector gives up a list that is never answered, after a minute", async () => {
  await using t = await setUp();
  t.server.faults.onRequest(isList, { kind: "stuck" });
  const { followed, watching } = t.follow();
  await until(() => t.calls.length === 1);
  // The connection itself is alive: its pings are answered while the time passes.
  for (let second = 0; second < 60; second++) {
    assert.equal(followed.status.state, "syncing");
    await t.clock.advance(1_000);
    await turns(20);
  }
  await until(() => followed.status.state === "retrying");
  assert.equal(followed.status.lastError?.code, "timeout");
  await backOff(t.clock);
  await watching();
});

test("Reflector waits for a list that is only slow", async () => {
  await using t = await setUp();
  t.server.faults.onRequest(isList, { kind: "slow", ms: 3_000 });
  const { followed, watching } = t.follow();
  await until(() => t.calls.length === 1);
  await t.clock.advance(3_000);
  await followed.synced;
  await watching();
  assert.equal(t.notes.lines.includes("retrying"), false);
});

const watches: readonly (readonly [name: string, fault: Fault, waitMs: number, listsAgain: boolean])[] = [
  ["410 as an HTTP status", { kind: "gone" }, 0, true],
  ["410 as an ERROR event", { kind: "gone-event" }, 0, true],
  ["429", { kind: "busy", retryAfterSeconds: 3 }, 3_000, false],
  ["403", { kind: "forbidden" }, 800, false],
  ["broken JSON", { kind: "broken-json" }, 800, false],
  ["a reset", { kind: "reset" }, 800, false],
  ["a cut", { kind: "cut" }, 800, false],
];

for (const [name, fault, waitMs, listsAgain] of watches) {
  test(`Reflector gets over a watch that is answered with ${name}, and misses nothing`, async () => {
    await using t = await setUp();
    t.server.faults.onRequest(isWatch, fault);
    const { watching, names } = t.follow();
    assert.equal(await t.clock.asleep(), waitMs);
    addLease(t.server, "bob");
    await backOff(t.clock);
    await watching();
    await t.notes.until(() => names().length === 2);
    const listed = t.calls.filter((call) => call.startsWith("list")).length;
    assert.equal(listed, listsAgain ? 2 : 1);
  });
}

for (const fault of ["reset", "gone", "broken-json"] as const) {
  test(`Reflector gets over "${fault}" in the middle of a watch, and misses nothing`, async () => {
    await using t = await setUp();
    const { watching, names } = t.follow();
    await watching();
    t.server.faults.onWatches(fault);
    await t.clock.asleep();
    if (fault === "broken-json") t.server.faults.onWatches("end");
    addLease(t.server, "bob");
    await backOff(t.clock);
    await t.notes.until(() => names().length === 2);
    assert.deepEqual(names(), ["ada", "bob"]);
  });
}

test("Reflector watches on at once when a watch ends in good order", async () => {
  await using t = await setUp();
  const { watching, names } = t.follow();
  await watching();
  await t.clock.advance(1_000);
  t.server.faults.onWatches("end");
  await until(() => t.calls.length === 3);
  addLease(t.server, "bob");
  await t.notes.until(() => names().length === 2);
  assert.deepEqual(t.notes.lines, ["watching"]);
});

test("Reflector gets over cut connections without a list", async () => {
  await using t = await setUp();
  const { watching, names } = t.follow();
  await watching();
  t.server.faults.onConnections("cut");
  assert.equal(await backOff(t.clock), 800);
  addLease(t.server, "bob");
  await t.notes.until(() => names().length === 2);
  assert.equal(t.calls.filter((call) => call.startsWith("list")).length, 1);
});

test("Reflector goes on watching after a GOAWAY, and later calls take another connection", async () => {
  await using t = await setUp();
  const { watching, names } = t.follow();
  await watching();
  // The list came on one and the watch on another.
  assert.equal(t.server.connections, 2);
  t.server.faults.onConnections("goaway");
  addLease(t.server, "bob");
  await t.notes.until(() => names().length === 2);
  assert.deepEqual(t.notes.lines, ["watching"]);
  for (let call = 0; call < 2; call++) await t.apiClient.getJson("/version");
  assert.equal(t.server.connections, 3);
  const second = t.objects.follow(leases, { namespace });
  await until(() => t.server.watches === 2);
  assert.equal(t.server.connections, 4);
  assert.equal(second.objects.list().length, 2);
});

test("Reflector takes the version of a bookmark, so that a compaction costs no list", async () => {
  await using t = await setUp({ bookmarkMs: 3_000 });
  const { watching } = t.follow();
  await watching();
  t.server.store.compact();
  const fresh = t.server.store.version;
  await t.clock.advance(3_000);
  t.server.faults.onWatches("end");
  await until(() => t.calls.length === 3);
  assert.equal(t.calls[2], `watch leases ${fresh}`);
});

test("Reflector watches on after one short wait when a watch that worked is cut, however often", async () => {
  await using t = await setUp();
  const { watching, names } = t.follow();
  await watching();
  // It lived for a second, or else brought something.
  await t.clock.advance(1_000);
  for (let round = 0; round < 5; round++) {
    t.server.faults.onConnections("cut");
    assert.equal(await backOff(t.clock), 800);
    addLease(t.server, `bob-${round}`);
    await t.notes.until(() => names().length === round + 2);
  }
  assert.deepEqual(t.notes.lines, ["watching"]);
  assert.equal(t.calls.filter((call) => call.startsWith("list")).length, 1);
});

test("Reflector shows a server that stays busy, or wants to be left alone for long", async () => {
  await using t = await setUp();
  const brief = t.server.faults.onRequest(isList, { kind: "busy", retryAfterSeconds: 1 }, 9);
  const { followed } = t.follow();
  const states: string[] = [];
  for (let tries = 0; tries < 3; tries++) {
    await t.clock.asleep();
    states.push(followed.status.state);
    await backOff(t.clock);
  }
  assert.deepEqual(states, ["syncing", "syncing", "retrying"]);
  brief[Symbol.dispose]();
  await using other = await setUp();
  other.server.faults.onRequest(isList, { kind: "busy", retryAfterSeconds: 86_400 });
  const { followed: long, watching } = other.follow();
  assert.equal(await other.clock.asleep(), 300_000);
  assert.equal(long.status.state, "retrying");
  await backOff(other.clock);
  await watching();
});

test("Reflector that could not reach the server asks as soon as another is answered", async () => {
  await using t = await setUp();
  const isOwn = (call: { readonly namespace: string | undefined } | undefined) => call?.namespace === namespace;
  const away = t.server.faults.onRequest(isOwn, { kind: "failure", code: 503 }, Number.POSITIVE_INFINITY);
  const own = t.objects.follow(leases, { namespace });
  for (const wait of [800, 1_600, 3_200, 6_400]) assert.equal(await backOff(t.clock), wait);
  assert.equal(await t.clock.asleep(), 12_800);
  away[Symbol.dispose]();
  const { watching } = t.follow();
  await until(() => t.server.watches === 1);
  await until(() => t.clock.sleeps[0] === 200);
  await backOff(t.clock);
  await until(() => own.status.state === "watching" && t.server.watches === 2);
  await own[Symbol.asyncDispose]();
  await watching();
});

test("Reflector that was answered with a refusal does not ask sooner because another is answered", async () => {
  await using t = await setUp();
  const isOwn = (call: { readonly namespace: string | undefined } | undefined) => call?.namespace === namespace;
  t.server.faults.onRequest(isOwn, { kind: "forbidden" }, Number.POSITIVE_INFINITY);
  t.objects.follow(leases, { namespace });
  assert.equal(await t.clock.asleep(), 800);
  const { watching } = t.follow();
  await watching();
  await turns(50);
  assert.deepEqual(t.clock.sleeps, [800]);
});
