import assert from "node:assert/strict";
import { test } from "node:test";
import { leases } from "../../test/contract/api-target.ts";
import { until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { startSandbox } from "../../test/support/sandbox.ts";
import { silentLogger } from "../log.ts";
import { mergedLister } from "./merged-lister.ts";
import { ObjectCache } from "./object-cache.ts";
import { Store } from "./store.ts";

async function setUp() {
  const stack = new AsyncDisposableStack();
  const clock = new FakeClock();
  const sandbox = stack.use(await startSandbox({ namespaces: ["team-a"] }, clock));
  const cache = stack.use(new ObjectCache({ client: sandbox.client(clock), clock, log: silentLogger() }));
  const add = (name: string) => {
    const resource = sandbox.server.resource("leases.coordination.k8s.io");
    sandbox.server.objects.create({ resource, namespace: "team-a" }, { metadata: { name } });
  };
  return { ...sandbox, cache, add, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("ObjectCache watches another scope, and another kind of the same resource, on its own", async () => {
  await using t = await setUp();
  const other = { ...leases };
  const all = [t.cache.follow(leases), t.cache.follow(leases, { namespace: "team-a" }), t.cache.follow(other)];
  await Promise.all(all.map(({ synced }) => synced));
  await until(() => t.server.watches === 3);
});

test("ObjectCache keeps the watch while one of two followers is disposed twice", async () => {
  await using t = await setUp();
  const [first, second] = [t.cache.follow(leases), t.cache.follow(leases)];
  await second.synced;
  await until(() => t.server.watches === 1);
  let told = 0;
  first.onChange(() => told++);
  await first[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
  t.add("ada");
  await until(() => second.objects.list().length === 1);
  assert.equal(told, 0);
  await second[Symbol.asyncDispose]();
  await until(() => t.server.watches === 0);
  assert.equal(second.objects.list().length, 1);
});

test("ObjectCache ends all watches when it is disposed, and follows nothing more", async () => {
  await using t = await setUp();
  const followed = t.cache.follow(leases);
  await followed.synced;
  await until(() => t.server.watches === 1);
  await t.cache[Symbol.asyncDispose]();
  await until(() => t.server.watches === 0);
  assert.throws(() => t.cache.follow(leases), { code: "aborted" });
  await followed[Symbol.asyncDispose]();
});

test("mergedLister() finds by key and index in every part", () => {
  const thing = (namespace: string, name: string) => ({ namespace, name, uid: `${namespace}-${name}` });
  const parts = ["a", "b"].map((namespace) => {
    const store = new Store<ReturnType<typeof thing>>({ indexBy: ({ name }) => name });
    store.put(thing(namespace, "x"));
    return store;
  });
  const merged = mergedLister(parts);
  assert.equal(merged.get("b/x")?.namespace, "b");
  assert.equal(merged.get("c/x"), undefined);
  assert.deepEqual([merged.list().length, merged.byIndex("x").length, merged.byIndex("y").length], [2, 2, 0]);
});
