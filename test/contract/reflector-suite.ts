/**
 * What a reflector makes of an API server, as cases that the sandbox and the real one must both pass: then the sandbox is
 * right to stand in for it.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import type { ListScope } from "../../src/kube/list-watch.ts";
import { ObjectCache, type ObjectScope } from "../../src/kube/object-cache.ts";
import { Reflector } from "../../src/kube/reflector.ts";
import { Store } from "../../src/kube/store.ts";
import { silentLogger } from "../../src/log.ts";
import { type ApiTarget, leasePath, leases, leaseWriter, parseThing, type Thing } from "./api-target.ts";
import { type Detours, Notes, noting, withQuery } from "./observe.ts";

const limits = { timeout: 60_000 };
const future = "999999999999";

/** Registers the cases, each as a test. The target must live as long as they run. */
export function reflectorSuite(target: ApiTarget): void {
  const [namespace, other] = target.namespaces;
  const write = leaseWriter(target, namespace);
  /** Leases of one case, so that those of another do not show. */
  const ownLabels = () => ({ case: randomBytes(4).toString("hex") });

  test("Reflector lists what is there and follows what is added, modified and deleted", limits, async () => {
    const labels = ownLabels();
    const uid = await write.create("ada", "one", labels);
    await using t = follow(target, { namespace, labelSelector: selectorOf(labels) });
    await t.reflector.hasSynced;
    assert.deepEqual(t.store.list(), [{ namespace, name: "ada", uid, holder: "one" }]);
    await write.create("bob", "two", labels);
    await t.changes.until(() => t.store.list().length === 2);
    await write.patch("ada", { spec: { holderIdentity: "three" } });
    await t.changes.until(() => t.store.get(`${namespace}/ada`)?.holder === "three");
    await write.delete("bob");
    await t.changes.until(() => t.store.list().length === 1);
    await write.delete("ada");
    await t.changes.until(() => t.store.list().length === 0);
    const [ada, bob] = [`${namespace}/ada`, `${namespace}/bob`];
    const expected = [`added ${ada}`, `added ${bob}`, `changed ${ada}`, `removed ${bob}`, `removed ${ada}`];
    assert.deepEqual(t.changes.lines, expected);
    assert.deepEqual(t.calls.lines, ["list", "watch"]);
  });

  test("Reflector sees deletion and creation under one name as the end of one and another", limits, async () => {
    const labels = ownLabels();
    const before = await write.create("twin", "one", labels);
    await using t = follow(target, { namespace, labelSelector: selectorOf(labels) });
    await t.watching();
    await write.delete("twin");
    const after = await write.create("twin", "one", labels);
    await t.changes.until(() => t.store.get(`${namespace}/twin`)?.uid === after);
    assert.notEqual(before, after);
    const key = `${namespace}/twin`;
    assert.deepEqual(t.changes.lines, [`added ${key}`, `removed ${key}`, `added ${key}`]);
    await write.delete("twin");
  });

  test("Reflector follows one namespace and no other", limits, async () => {
    const labels = ownLabels();
    const elsewhere = leaseWriter(target, other);
    await elsewhere.create("eve", "one", labels);
    await using t = follow(target, { namespace, labelSelector: selectorOf(labels) });
    await t.watching();
    await elsewhere.create("eva", "one", labels);
    await write.create("eve", "two", labels);
    await t.changes.until(() => t.store.list().length === 1);
    assert.deepEqual(t.changes.lines, [`added ${namespace}/eve`]);
    await using all = follow(target, { labelSelector: selectorOf(labels) });
    await all.reflector.hasSynced;
    assert.equal(all.store.list().length, 3);
    for (const name of ["eve", "eva"]) await elsewhere.delete(name);
    await write.delete("eve");
  });

  test("Reflector with a selector sees an object come and go as its labels change", limits, async () => {
    const labels = ownLabels();
    await write.create("mark", "one", { ...labels, tier: "back" });
    await using t = follow(target, { namespace, labelSelector: `${selectorOf(labels)},tier in (front, edge)` });
    await t.watching();
    await write.patch("mark", { metadata: { labels: { tier: "front" } } });
    await t.changes.until(() => t.store.list().length === 1);
    await write.patch("mark", { metadata: { labels: { tier: "edge" } }, spec: { holderIdentity: "two" } });
    await t.changes.until(() => t.store.list()[0]?.holder === "two");
    await write.patch("mark", { metadata: { labels: { tier: null } } });
    await t.changes.until(() => t.store.list().length === 0);
    const key = `${namespace}/mark`;
    assert.deepEqual(t.changes.lines, [`added ${key}`, `changed ${key}`, `removed ${key}`]);
    await write.delete("mark");
  });

  test(
    "Reflector lists again when its version is forgotten, and reports what was made anew meanwhile",
    limits,
    async () => {
      const { resource, kind } = await target.forgetful();
      const path = `/apis/${resource.group}/${resource.version}/namespaces/${namespace}/${resource.plural}`;
      const body = { apiVersion: `${resource.group}/${resource.version}`, kind, metadata: { name: "one" } };
      await target.client.request({ method: "POST", path, body });
      const watch = async (way: string, nth: number) => {
        if (nth > 0) return way;
        await target.client.request({ method: "DELETE", path: `${path}/one` });
        await target.client.request({ method: "POST", path, body });
        return withQuery(way, { resourceVersion: "1" });
      };
      await using t = follow(target, { resource, namespace }, { watch });
      const key = `${namespace}/one`;
      await t.changes.until(() => t.changes.lines.length === 3);
      assert.deepEqual(t.changes.lines, [`added ${key}`, `removed ${key}`, `added ${key}`]);
      await t.watching();
      // The first list may have been told to come again: "storage is (re)initializing".
      assert.deepEqual(t.calls.lines.slice(-4), ["list", "watch", "list", "watch"]);
      assert.equal(t.states.lines.includes("retrying"), t.calls.lines.length > 4);
      await target.client.request({ method: "DELETE", path: `${path}/one` });
      await t.changes.until(() => t.store.list().length === 0);
    },
  );

  test("Reflector watches on without a list when the server ends the watch in good order", limits, async () => {
    const labels = ownLabels();
    const watch = (way: string, nth: number) => (nth > 0 ? way : withQuery(way, { timeoutSeconds: "2" }));
    await using t = follow(target, { namespace, labelSelector: selectorOf(labels) }, { watch });
    await t.watching();
    await write.create("pat", "one", labels);
    await t.calls.until(() => t.calls.lines.length === 3);
    await write.create("pam", "one", labels);
    await t.changes.until(() => t.store.list().length === 2);
    assert.deepEqual(t.calls.lines, ["list", "watch", "watch"]);
    assert.deepEqual(t.states.lines, ["watching"]);
    for (const name of ["pat", "pam"]) await write.delete(name);
  });

  test("Reflector lists what there is when the server does not know its version yet", limits, async () => {
    const labels = ownLabels();
    await write.create("zoe", "one", labels);
    const list = (way: string, nth: number) => (nth > 0 ? way : withQuery(way, { resourceVersion: future }));
    await using t = follow(target, { namespace, labelSelector: selectorOf(labels) }, { list });
    await t.watching();
    assert.equal(t.store.list().length, 1);
    assert.deepEqual(t.calls.lines, ["list", "list", "watch"]);
    await write.delete("zoe");
  });

  test("a watch from a version of the future is accepted and silent until its time is up", limits, async () => {
    const path = `${leasePath(namespace)}?watch=1&timeoutSeconds=1&resourceVersion=${future}`;
    const seen: string[] = [];
    for await (const { type } of target.client.watch(path, { onOpen: () => seen.push("open") })) seen.push(type);
    assert.deepEqual(seen, ["open"]);
  });

  test(
    "ObjectCache shares one watch among the followers of a kind and scope, and ends it with the last",
    limits,
    async () => {
      const labels = ownLabels();
      const calls = new Notes();
      const scope: ObjectScope = { namespace, labelSelector: selectorOf(labels) };
      const components = { client: noting(target.client, calls), clock: systemClock, log: silentLogger() };
      await using cache = new ObjectCache(components);
      const first = cache.follow(leases, scope);
      const second = cache.follow(leases, { ...scope });
      const changes = new Notes();
      second.onChange((batch) => changes.add(batch.map(({ kind }) => kind).join()));
      await Promise.all([first.synced, second.synced]);
      await first[Symbol.asyncDispose]();
      await write.create("sam", "us", labels);
      await changes.until(() => changes.lines.length === 1);
      assert.equal(second.objects.byIndex("us")[0]?.name, "sam");
      assert.deepEqual(calls.lines, ["list", "watch"]);
      await second[Symbol.asyncDispose]();
      const third = cache.follow(leases, scope);
      await third.synced;
      assert.equal(calls.lines.filter((call) => call === "list").length, 2);
      assert.deepEqual(changes.lines, ["added"]);
      await write.delete("sam");
    },
  );
}

function selectorOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join();
}

/** A reflector that runs, and notes of its calls, its changes and its states. */
function follow(target: ApiTarget, scope: Partial<ListScope>, detours: Detours = {}) {
  const [calls, changes, states] = [new Notes(), new Notes(), new Notes()];
  const store = new Store<Thing>();
  store.subscribe((batch) => {
    for (const { kind, key } of batch) changes.add(`${kind} ${key}`);
  });
  const components = { client: noting(target.client, calls, detours), store, clock: systemClock, log: silentLogger() };
  const options = { scope: { resource: leases.resource, ...scope }, parse: parseThing };
  const reflector = new Reflector(components, options);
  reflector.onStatus(({ state }) => states.add(state));
  void reflector.run();
  const watching = () => states.until(() => reflector.status.state === "watching");
  return { reflector, store, calls, changes, states, watching, [Symbol.asyncDispose]: () => end(reflector) };
}

async function end(reflector: AsyncDisposable): Promise<void> {
  await reflector[Symbol.asyncDispose]();
}
