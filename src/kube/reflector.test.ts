import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeObject, type FakeRequest, refuse, startFakeApiServer } from "../../test/support/fake-api-server.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { Logger } from "../log.ts";
import { ApiClient } from "./api-client.ts";
import { textAt } from "./json.ts";
import { Reflector } from "./reflector.ts";
import { Store } from "./store.ts";

const services = { group: "", version: "v1", plural: "services" } as const;

interface Thing {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly color: string | undefined;
}

function parse(value: unknown): Thing {
  const name = textAt(value, "metadata", "name") ?? "";
  if (name === "broken") throw new Error("broken");
  const namespace = textAt(value, "metadata", "namespace") ?? "";
  return { namespace, name, uid: textAt(value, "metadata", "uid") ?? "", color: textAt(value, "color") };
}

function object(name: string, uid = "1", color?: string): FakeObject {
  return { metadata: { namespace: "shop", name, uid }, color };
}

/** A server, and a reflector of its services that is not yet running. Random is such that back-off is 0.8, 1.6 … s. */
async function setUp(namespace?: string) {
  const stack = new AsyncDisposableStack();
  const server = stack.use(await startFakeApiServer());
  const clock = new FakeClock();
  const warnings: string[] = [];
  const log = new Logger(({ level, message }) => level === "warn" && warnings.push(message));
  const client = stack.use(new ApiClient({ cluster: server.cluster(), clock }, { version: "0" }));
  const store = new Store<Thing>();
  const scope = namespace === undefined ? { resource: services } : { resource: services, namespace };
  const reflector = stack.use(new Reflector({ client, store, clock, log, random: () => 1 }, { scope, parse }));
  const changes: string[] = [];
  let wake = () => {};
  store.subscribe((batch) => {
    for (const { kind, key } of batch) changes.push(`${kind} ${key}`);
    wake();
  });
  const states: string[] = [];
  reflector.onStatus(({ state }) => {
    states.push(state);
    wake();
  });
  const until = async (condition: () => boolean) => {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  /** Lists and watches so far. */
  const calls = () =>
    server.requests.map(
      ({ query }) => `${query.has("watch") ? "watch" : "list"} ${query.get("resourceVersion") ?? ""}`,
    );
  const dispose = () => stack.disposeAsync();
  return { server, clock, store, reflector, changes, states, warnings, until, calls, [Symbol.asyncDispose]: dispose };
}

/** Lets the reflector run until it watches. */
async function settle({ reflector, until }: Awaited<ReturnType<typeof setUp>>): Promise<void> {
  void reflector.run();
  await until(() => reflector.status.state === "watching");
}

test("Reflector lists, is synced, and follows what happens", async () => {
  await using t = await setUp();
  t.server.put("services", object("a"));
  assert.equal(t.reflector.status.state, "syncing");
  void t.reflector.run();
  await t.reflector.hasSynced;
  assert.deepEqual(t.changes, ["added shop/a"]);
  await t.server.until(() => t.server.watchers === 1);
  t.server.put("services", object("b"));
  t.server.put("services", object("a", "1", "red"));
  t.server.remove("services", object("b"));
  await t.until(() => t.changes.length === 4);
  assert.deepEqual(t.changes.slice(1), ["added shop/b", "changed shop/a", "removed shop/b"]);
  assert.deepEqual(t.calls(), ["list 0", "watch 101"]);
  const query = t.server.requests[1]?.query;
  assert.equal(query?.get("allowWatchBookmarks"), "true");
  assert.equal(query?.get("timeoutSeconds"), "600");
  assert.deepEqual(t.states, ["watching"]);
});

test("Reflector of one namespace replaces nothing of another", async () => {
  await using t = await setUp("shop");
  t.store.put({ namespace: "other", name: "x", uid: "9", color: undefined });
  t.server.put("services", object("a"));
  void t.reflector.run();
  await t.reflector.hasSynced;
  assert.equal(t.server.requests[0]?.path, "/api/v1/namespaces/shop/services");
  assert.deepEqual(t.changes, ["added other/x", "added shop/a"]);
});

test("Reflector watches on from the last version when the watch ends, bookmarks counted", async () => {
  await using t = await setUp();
  t.server.put("services", object("a"));
  await settle(t);
  t.server.say('{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"150"}}}\n');
  t.server.endWatches();
  await t.server.until(() => t.calls().length === 3);
  assert.deepEqual(t.calls(), ["list 0", "watch 101", "watch 150"]);
});

for (const form of ["an ERROR event", "an HTTP status"]) {
  test(`Reflector lists again after 410 as ${form}, keeps its state till then, and reports what was made anew`, async () => {
    await using t = await setUp();
    t.server.put("services", object("a"));
    t.server.put("services", object("b"));
    await settle(t);
    t.changes.length = 0;
    t.server.remove("services", object("b"), true);
    if (form === "an ERROR event") t.server.forgetVersions();
    else t.server.onNext(({ query }) => query.has("watch"), refuse(410, "Expired"));
    let duringList: readonly Thing[] = [];
    const isList = ({ query }: FakeRequest) => !query.has("watch");
    t.server.onNext(isList, (stream) => {
      duringList = t.store.list();
      stream.respond({ ":status": 200 });
      stream.end(JSON.stringify({ metadata: { resourceVersion: "900" }, items: [object("a", "2")] }));
    });
    // A watch that ends at once without any event would count as broken.
    t.server.say('{"type":"BOOKMARK","object":{}}\n');
    t.server.endWatches();
    // The first time there is no back-off.
    assert.equal(await t.clock.asleep(), 0);
    await t.clock.advance(0);
    await t.until(() => t.changes.length === 3);
    assert.equal(duringList.length, 2);
    assert.deepEqual(t.changes, ["removed shop/b", "removed shop/a", "added shop/a"]);
    await t.server.until(() => t.calls().at(-1) === "watch 900");
    assert.deepEqual(t.calls(), ["list 0", "watch 102", "watch 102", "list ", "watch 900"]);
    assert.deepEqual([t.states, t.warnings], [["watching"], []]);
  });
}

test("Reflector backs off after a lost connection and watches on without a list", async () => {
  await using t = await setUp();
  t.server.put("services", object("a"));
  await settle(t);
  t.server.dropConnections();
  assert.equal(await t.clock.asleep(), 800);
  assert.equal(t.reflector.status.state, "retrying");
  assert.equal(t.reflector.status.lastError?.code, "unavailable");
  t.server.put("services", object("b"));
  await t.clock.advance(800);
  await t.until(() => t.states.at(-1) === "watching");
  assert.deepEqual(t.calls(), ["list 0", "watch 101", "watch 101"]);
  assert.deepEqual(t.states, ["watching", "retrying", "watching"]);
  assert.equal(t.reflector.status.lastError, undefined);
  assert.deepEqual(t.warnings, ["Watch failed, trying again"]);
});

test("Reflector lives through a GOAWAY without a list", async () => {
  await using t = await setUp();
  await settle(t);
  for (const session of t.server.sessions) session.goaway();
  t.server.put("services", object("a"));
  await t.until(() => t.changes.length === 1);
  t.server.endWatches();
  await t.server.until(() => t.calls().length === 3);
  assert.deepEqual(t.calls(), ["list 0", "watch 100", "watch 101"]);
  assert.equal(t.states.includes("retrying"), false);
});

test("Reflector waits as long as a busy server asks, and does not call that trouble", async () => {
  await using t = await setUp();
  t.server.onNext(() => true, refuse(429, "TooManyRequests", { "retry-after": "9" }));
  void t.reflector.run();
  assert.equal(await t.clock.asleep(), 9_000);
  assert.equal(t.reflector.status.state, "syncing");
  await t.clock.advance(9_000);
  await t.reflector.hasSynced;
  assert.deepEqual(t.warnings, []);
});

test("Reflector says denied, goes on trying, and works once the right is given", async () => {
  await using t = await setUp();
  for (let i = 0; i < 2; i++) t.server.onNext(() => true, refuse(403, "Forbidden"));
  void t.reflector.run();
  assert.equal(await t.clock.asleep(), 800);
  assert.equal(t.reflector.status.state, "denied");
  await t.clock.advance(800);
  assert.equal(await t.clock.asleep(), 1_600);
  await t.clock.advance(1_600);
  await t.until(() => t.states.at(-1) === "watching");
  // What it means is for the owner to say.
  assert.deepEqual(t.warnings, []);
});

test("Reflector says denied when the server does not know it, and goes on trying", async () => {
  await using t = await setUp();
  t.server.onNext(() => true, refuse(401, "Unauthorized"));
  void t.reflector.run();
  assert.equal(await t.clock.asleep(), 800);
  assert.deepEqual([t.reflector.status.state, t.reflector.status.lastError?.code], ["denied", "unauthenticated"]);
  await t.clock.advance(800);
  await t.until(() => t.states.at(-1) === "watching");
});

test("Reflector lists again when three watches in a row have failed", async () => {
  await using t = await setUp();
  for (let i = 0; i < 3; i++) t.server.onNext(({ query }) => query.has("watch"), refuse(500, "InternalError"));
  void t.reflector.run();
  for (const wait of [800, 1_600, 3_200]) {
    assert.equal(await t.clock.asleep(), wait);
    await t.clock.advance(wait);
  }
  await t.until(() => t.states.at(-1) === "watching");
  assert.deepEqual(t.calls(), ["list 0", "watch 100", "watch 100", "watch 100", "list 100", "watch 100"]);
});

test("Reflector retries after a line that is no JSON", async () => {
  await using t = await setUp();
  await settle(t);
  t.server.say("{\n");
  await t.clock.advance(await t.clock.asleep());
  await t.until(() => t.states.at(-1) === "watching");
  t.server.put("services", object("a"));
  await t.until(() => t.changes.length === 1);
});

test("Reflector leaves out an object that cannot be read, and still sees it go", async () => {
  await using t = await setUp();
  t.server.put("services", object("broken"));
  t.server.put("services", object("a"));
  await settle(t);
  t.server.put("services", object("broken"));
  t.server.remove("services", object("broken"));
  t.server.put("services", object("b"));
  await t.until(() => t.changes.length === 2);
  assert.deepEqual(t.changes, ["added shop/a", "added shop/b"]);
  assert.deepEqual(t.warnings, Array(2).fill("Left out an object that cannot be read"));
});

test("Reflector ends when its signal fires, wherever it is, and lets go of everything", async () => {
  await using t = await setUp();
  t.server.onNext(() => true, refuse(500, "InternalError"));
  const stopping = new AbortController();
  const running = t.reflector.run(stopping.signal);
  await t.clock.asleep();
  stopping.abort();
  await running;
  await assert.rejects(t.reflector.hasSynced, { code: "aborted" });
  assert.deepEqual(t.clock.sleeps, []);
});
