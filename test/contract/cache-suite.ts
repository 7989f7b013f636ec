/** What ClusterCache makes of rights and selectors, on the sandbox and the real API server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { LocalizerError } from "../../src/errors.ts";
import { ClusterCache, type ClusterCacheOptions } from "../../src/kube/cluster-cache.ts";
import { ObjectCache } from "../../src/kube/object-cache.ts";
import { Logger, silentLogger } from "../../src/log.ts";
import { serviceKey } from "../../src/model/service-key.ts";
import type { ApiTarget } from "./api-target.ts";
import { Notes, type ReadingClient } from "./observe.ts";

const limits = { timeout: 60_000 };

/** Registers the cases, each as a test. The target must live as long as they run. */
export function cacheSuite(target: ApiTarget): void {
  const [namespace, other] = target.namespaces;
  const servicesOf = (name: string) => `/api/v1/namespaces/${name}/services`;

  async function withService(name: string, labels: Readonly<Record<string, string>> = {}): Promise<AsyncDisposable> {
    const body = { metadata: { name, labels }, spec: { ports: [{ port: 80 }] } };
    await target.client.request({ method: "POST", path: servicesOf(namespace), body });
    const remove = () => target.client.request({ method: "DELETE", path: `${servicesOf(namespace)}/${name}` });
    return { [Symbol.asyncDispose]: async () => void (await remove()) };
  }

  test("ClusterCache follows the fallback namespaces when it may not list all, and says so once", limits, async () => {
    await using _service = await withService("few");
    await using t = await open(await target.limited(), { fallbackNamespaces: [namespace] });
    await t.cache.synced;
    assert.deepEqual(t.cache.scope.namespaces, [namespace]);
    assert.match(t.cache.scope.because?.message ?? "", /is forbidden: User .* at the cluster scope$/);
    assert.equal(t.cache.services.get(serviceKey(namespace, "few"))?.name, "few");
    await t.notes.until(() => t.cache.statuses.every(({ state }) => state === "watching"));
    assert.deepEqual(
      t.cache.statuses.map((status) => status.namespace),
      [namespace, namespace],
    );
    const log = t.notes.lines.filter((line) => line.startsWith("log "));
    assert.deepEqual(log, ["log info May not list Services in all namespaces, so following some"]);
    assert.equal(t.notes.lines.includes("denied"), false);
  });

  test("ClusterCache is synced though one namespace of several is denied, and shows which", limits, async () => {
    await using _service = await withService("some");
    await using t = await open(await target.limited(), { namespaces: [namespace, other], fallbackNamespaces: [] });
    await t.cache.synced;
    assert.equal(t.cache.services.list().length, 1);
    assert.equal(t.cache.scope.because, undefined);
    const denied = t.cache.statuses.filter(({ state }) => state === "denied");
    assert.deepEqual(
      denied.map(({ plural, namespace: where }) => `${where} ${plural}`),
      [`${other} services`, `${other} endpointslices`],
    );
  });

  test("ClusterCache with a selector takes the Services that match, as their labels come and go", limits, async () => {
    await using _one = await withService("one", { team: "red" });
    await using _two = await withService("two", { team: "blue" });
    const options = { namespaces: [namespace], fallbackNamespaces: [], selector: "team=red" };
    await using t = await open(target.client, options);
    await t.cache.synced;
    const names = () => t.cache.services.list().map(({ name }) => name);
    assert.deepEqual(names(), ["one"]);
    const merge = { contentType: "application/merge-patch+json", body: { metadata: { labels: { team: "red" } } } };
    await target.client.request({ method: "PATCH", path: `${servicesOf(namespace)}/two`, ...merge });
    await t.notes.until(() => names().length === 2);
  });

  test("ClusterCache says that a selector cannot be read, instead of waiting for ever", limits, async () => {
    const options = { namespaces: [namespace], fallbackNamespaces: [], selector: "team in red" };
    await using t = await open(target.client, options);
    await assert.rejects(t.cache.synced, (error) => {
      assert.ok(error instanceof LocalizerError);
      assert.match(error.message, /^Cannot use the selector "team in red": unable to parse requirement: /);
      return error.code === "usage";
    });
  });
}

/** A cache, and notes of its states and log; changes wake whoever waits. */
async function open(client: ReadingClient, options: ClusterCacheOptions) {
  const stack = new AsyncDisposableStack();
  const notes = new Notes();
  const log = new Logger(({ level, message }) => notes.add(`log ${level} ${message}`));
  const objects = stack.use(new ObjectCache({ client, clock: systemClock, log: silentLogger() }));
  const cache = stack.use(new ClusterCache({ objects, clock: systemClock, log }, options));
  cache.onChange(() => notes.wake());
  cache.onStatus(({ state }) => notes.add(state));
  return { cache, notes, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
