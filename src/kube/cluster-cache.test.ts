import assert from "node:assert/strict";
import { test } from "node:test";
import { refuse, startFakeApiServer } from "../../test/support/fake-api-server.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { Logger, silentLogger } from "../log.ts";
import { serviceKey } from "../model/service-key.ts";
import { ApiClient } from "./api-client.ts";
import { ClusterCache, type ClusterCacheOptions } from "./cluster-cache.ts";
import { ObjectCache } from "./object-cache.ts";

const cart = serviceKey("shop", "cart");
const service = { metadata: { namespace: "shop", name: "cart", uid: "u1" }, spec: {} };

function slice(name: string, of = "cart", addressType = "IPv4") {
  const labels = { "kubernetes.io/service-name": of };
  return { metadata: { namespace: "shop", name, uid: name, labels }, addressType, endpoints: [] };
}

async function setUp(options: Partial<ClusterCacheOptions> = {}) {
  const stack = new AsyncDisposableStack();
  const server = stack.use(await startFakeApiServer());
  const clock = new FakeClock();
  const notes: string[] = [];
  const log = new Logger(({ level, message }) => level === "info" && notes.push(message));
  const client = stack.use(new ApiClient({ cluster: server.cluster(), clock }, { version: "0" }));
  const open = () => {
    const objects = stack.use(new ObjectCache({ client, clock, log: silentLogger(), random: () => 1 }));
    const cache = stack.use(new ClusterCache({ objects, clock, log }, { fallbackNamespaces: [], ...options }));
    const keys: string[] = [];
    let wake = () => {};
    cache.onChange((key) => {
      keys.push(key);
      wake();
    });
    const next = async () => {
      while (keys.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return keys.splice(0);
    };
    return { cache, next };
  };
  return { server, clock, notes, open, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("ClusterCache has Services and slices once it is synced, over one connection at rest", async () => {
  await using t = await setUp();
  t.server.put("services", service);
  t.server.put("endpointslices", slice("a"));
  t.server.put("endpointslices", slice("b"));
  const { cache } = t.open();
  await cache.synced;
  assert.equal(cache.services.get(cart)?.uid, "u1");
  assert.deepEqual(
    cache.slicesOf(cart).map(({ name }) => name),
    ["a", "b"],
  );
  await t.server.until(() => t.server.watchers === 2);
  const [calls] = t.server.sessions;
  const closed = new Promise<void>((resolve) => calls?.once("close", resolve));
  await t.clock.advance(4_000);
  await t.clock.advance(26_000);
  await closed;
  assert.equal(t.server.sessions.size, 1);
});

test("ClusterCache tells the key of the Service that a slice belongs to, and belonged to", async () => {
  await using t = await setUp();
  const { cache, next } = t.open();
  await cache.synced;
  await t.server.until(() => t.server.watchers === 2);
  t.server.put("endpointslices", slice("a"));
  assert.deepEqual(await next(), ["shop/cart"]);
  t.server.put("endpointslices", slice("a", "till"));
  assert.deepEqual(await next(), ["shop/till", "shop/cart"]);
  t.server.remove("endpointslices", slice("a", "till"));
  assert.deepEqual(await next(), ["shop/till"]);
  t.server.put("services", service);
  assert.deepEqual(await next(), ["shop/cart"]);
});

test("ClusterCache follows the given namespaces only, each once", async () => {
  await using t = await setUp({ namespaces: ["shop", "bank", "shop"] });
  t.server.put("services", service);
  t.server.put("services", { metadata: { namespace: "other", name: "x", uid: "u2" } });
  const { cache } = t.open();
  await cache.synced;
  assert.equal(cache.services.list().length, 1);
  const statuses = cache.statuses.map(({ plural, namespace }) => `${namespace} ${plural}`);
  assert.deepEqual(statuses, ["shop services", "shop endpointslices", "bank services", "bank endpointslices"]);
});

test("ClusterCache says which watch is denied", async () => {
  await using t = await setUp();
  t.server.onNext(({ path }) => path.endsWith("slices"), refuse(403, "Forbidden"));
  const { cache } = t.open();
  const denied = await new Promise((resolve) => {
    cache.onStatus(({ plural, state }) => state === "denied" && resolve(plural));
  });
  assert.equal(denied, "endpointslices");
});
