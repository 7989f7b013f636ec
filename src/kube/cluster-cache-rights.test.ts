import assert from "node:assert/strict";
import { test } from "node:test";
import { turns, until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { startSandbox } from "../../test/support/sandbox.ts";
import { Logger, silentLogger } from "../log.ts";
import type { ApiCall } from "../sandbox/api-call.ts";
import type { Fault } from "../sandbox/faults.ts";
import { ClusterCache, type ClusterCacheOptions } from "./cluster-cache.ts";
import { ObjectCache } from "./object-cache.ts";

const namespaces = ["team-a", "team-b"] as const;
const clusterWide = (call: ApiCall | undefined) => call !== undefined && call.namespace === undefined;
const anywhere = (call: ApiCall | undefined) => call !== undefined;

/** A sandbox with a Service "cart" in each namespace, and a cache of it. Back-off is 0.8 s, at first. */
async function setUp() {
  const stack = new AsyncDisposableStack();
  const clock = new FakeClock();
  const sandbox = stack.use(await startSandbox({ namespaces }, clock));
  const { server } = sandbox;
  const add = (namespace: string, name: string) =>
    server.objects.create({ resource: server.resource("services"), namespace }, { metadata: { name } });
  for (const namespace of namespaces) add(namespace, "cart");
  const deny = (
    matches: (call: ApiCall | undefined) => boolean,
    kind: (Fault["kind"] & "forbidden") | "unauthorized",
  ) => server.faults.onRequest(matches, { kind }, Number.POSITIVE_INFINITY);
  const open = (options: ClusterCacheOptions) => {
    const components = { client: sandbox.client(clock), clock, log: silentLogger(), random: () => 1 };
    const objects = stack.use(new ObjectCache(components));
    const log: string[] = [];
    const logger = new Logger(({ level, message }) => log.push(`${level} ${message}`));
    const cache = stack.use(new ClusterCache({ objects, clock, log: logger, random: () => 0.5 }, options));
    const changed: string[] = [];
    cache.onChange((key) => changed.push(key));
    const keys = () => cache.services.list().map(({ namespace, name }) => `${namespace}/${name}`);
    const states = () => cache.statuses.map(({ namespace, state }) => `${namespace ?? "all"} ${state}`);
    const areAll = (state: string) => cache.statuses.every((status) => status.state === state);
    return { cache, log, changed, keys, states, areAll };
  };
  return { ...sandbox, clock, add, deny, open, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("ClusterCache stays denied when there is nothing to fall back on, and is synced all the same", async () => {
  await using t = await setUp();
  using denial = t.deny(clusterWide, "forbidden");
  const { cache, log, keys, areAll } = t.open({ fallbackNamespaces: [] });
  await cache.synced;
  assert.ok(areAll("denied"));
  assert.deepEqual(cache.scope, { namespaces: undefined, because: undefined });
  assert.deepEqual(log, Array(2).fill("warn May not list"));
  denial[Symbol.dispose]();
  await until(() => t.clock.sleeps.length === 2);
  await t.clock.advance(800);
  await until(() => areAll("watching"));
  assert.deepEqual(keys(), ["team-a/cart", "team-b/cart"]);
});

test("ClusterCache shows the fallback as denied when that is denied too", async () => {
  await using t = await setUp();
  t.deny(anywhere, "forbidden");
  const { cache, states } = t.open({ fallbackNamespaces: ["team-a"] });
  await cache.synced;
  assert.deepEqual(states(), ["team-a denied", "team-a denied"]);
  assert.equal(cache.scope.because?.code, "denied");
});

test("ClusterCache does not fall back because nobody knows it: it goes on trying", async () => {
  await using t = await setUp();
  using denial = t.deny(anywhere, "unauthorized");
  const { cache, areAll, keys } = t.open({ fallbackNamespaces: ["team-a"] });
  await cache.synced;
  assert.deepEqual([...new Set(cache.statuses.map(({ lastError }) => lastError?.code))], ["unauthenticated"]);
  assert.deepEqual(cache.scope, { namespaces: undefined, because: undefined });
  denial[Symbol.dispose]();
  await until(() => t.clock.sleeps.length === 2);
  await t.clock.advance(800);
  await until(() => areAll("watching"));
  assert.equal(keys().length, 2);
});

test("ClusterCache that worked falls back after a minute of denial, and loses nothing before", async () => {
  await using t = await setUp();
  const { cache, changed, keys, areAll } = t.open({ fallbackNamespaces: ["team-b", "team-b"] });
  await cache.synced;
  await until(() => areAll("watching"));
  t.deny(clusterWide, "forbidden");
  t.server.faults.onWatches("reset");
  // Both watches come to their first denial.
  await until(() => t.clock.sleeps.length === 2);
  await t.clock.advance(800);
  await until(() => areAll("denied"));
  assert.equal(keys().length, 2);
  changed.length = 0;
  for (let second = 0; second < 60; second++) {
    assert.equal(cache.scope.because, undefined);
    await t.clock.advance(1_000);
    await until(() => t.clock.sleeps.length === 2 || cache.scope.because !== undefined);
  }
  assert.deepEqual(cache.scope.namespaces, ["team-b"]);
  assert.equal(keys().length, 2);
  await until(() => keys().length === 1);
  assert.deepEqual(keys(), ["team-b/cart"]);
  assert.deepEqual(changed, ["team-a/cart", "team-b/cart"]);
});

test("ClusterCache that worked forgives a server that did not know its roles for a moment", async () => {
  await using t = await setUp();
  const { cache, areAll, keys } = t.open({ fallbackNamespaces: ["team-b"] });
  await cache.synced;
  await until(() => areAll("watching"));
  const denial = t.deny(clusterWide, "forbidden");
  t.server.faults.onWatches("reset");
  await until(() => t.clock.sleeps.length === 2);
  await t.clock.advance(800);
  await until(() => areAll("denied") && t.clock.sleeps.length === 2);
  denial[Symbol.dispose]();
  t.add("team-a", "late");
  await t.clock.advance(1_600);
  await until(() => areAll("watching"));
  await t.clock.advance(61_000);
  assert.equal(cache.scope.because, undefined);
  assert.equal(keys().length, 3);
});

/** Lets the time come at which the rights are looked at again; back-off wakes many in between. */
async function probeTime(clock: FakeClock): Promise<void> {
  for (let second = 0; second < 301; second++) {
    await clock.advance(1_000);
    await turns(2);
  }
}

test("ClusterCache that fell back looks at the rights again each five minutes, and follows all once it may", async () => {
  await using t = await setUp();
  const denial = t.deny(clusterWide, "forbidden");
  const { cache, log, keys, changed, areAll } = t.open({ fallbackNamespaces: ["team-a"] });
  await cache.synced;
  await until(() => areAll("watching") && keys().length === 1);
  const wide = () => t.calls.filter((call) => call.startsWith("list services")).length;
  const before = wide();
  await probeTime(t.clock);
  await until(() => wide() === before + 1);
  await turns();
  assert.deepEqual([cache.scope.namespaces, wide()], [["team-a"], before + 1]);
  denial[Symbol.dispose]();
  changed.length = 0;
  await probeTime(t.clock);
  await until(() => keys().length === 2);
  assert.deepEqual(cache.scope, { namespaces: undefined, because: undefined });
  assert.deepEqual(changed, ["team-a/cart", "team-b/cart"]);
  const infos = log.filter((line) => line.startsWith("info"));
  assert.deepEqual(infos, [
    "info May not list Services in all namespaces, so following some",
    "info May list Services in all namespaces now, so following all",
  ]);
  await until(() => t.server.watches === 2);
});

test("ClusterCache that is denied again at once goes on with what it follows", async () => {
  await using t = await setUp();
  let isProbe = false;
  const limited = (call: ApiCall | undefined) => call?.http.query.get("limit") === "1";
  t.deny((call) => clusterWide(call) && !(isProbe && limited(call)), "forbidden");
  const { cache, keys, changed, areAll } = t.open({ fallbackNamespaces: ["team-a"] });
  await cache.synced;
  await until(() => areAll("watching") && keys().length === 1);
  changed.length = 0;
  isProbe = true;
  await probeTime(t.clock);
  await until(() => t.calls.filter((call) => call === "list services 0").length === 3);
  await until(() => cache.scope.because !== undefined && areAll("watching"));
  assert.deepEqual([keys(), changed], [["team-a/cart"], ["team-a/cart"]]);
  await until(() => t.server.watches === 2);
});

test("ClusterCache rejects who waits for it with aborted when it is disposed", async () => {
  await using t = await setUp();
  t.server.faults.onRequest(anywhere, { kind: "stuck" }, Number.POSITIVE_INFINITY);
  const { cache } = t.open({ fallbackNamespaces: [] });
  const waiting = assert.rejects(cache.synced, { code: "aborted" });
  await cache[Symbol.asyncDispose]();
  await waiting;
});
