import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiObject } from "./api-object.ts";
import { type Change, ObjectStore } from "./object-store.ts";

const pods = { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true } as const;

function pod(name: string, namespace = "shop"): ApiObject {
  return { metadata: { namespace, name, uid: name, resourceVersion: "" } };
}

test("ObjectStore counts every change and stamps the object with it", () => {
  const store = new ObjectStore({ historySize: 10 });
  const changes: Change[] = [];
  store.subscribe((change) => changes.push(change));
  const first = store.put(pods, pod("a"));
  const second = store.put(pods, pod("a"));
  const last = store.remove(pods, second);
  assert.deepEqual(
    [first, second, last].map(({ metadata }) => metadata.resourceVersion),
    ["2", "3", "4"],
  );
  assert.deepEqual(
    changes.map(({ type, version }) => `${type} ${version}`),
    ["ADDED 2", "MODIFIED 3", "DELETED 4"],
  );
  assert.equal(changes[1]?.previous, first);
  assert.equal(store.get(pods, "shop", "a"), undefined);
});

test("ObjectStore remembers so many changes and no more", () => {
  const store = new ObjectStore({ historySize: 2 });
  const from = store.version;
  for (const name of ["a", "b", "c"]) store.put(pods, pod(name));
  assert.equal(store.changesAfter(from), undefined);
  assert.deepEqual(
    store.changesAfter(store.oldest)?.map(({ object }) => object.metadata.name),
    ["b", "c"],
  );
  assert.deepEqual(store.changesAfter(store.version + 5), []);
});

test("ObjectStore knows only what is to come after compact()", () => {
  const store = new ObjectStore({ historySize: 10 });
  store.put(pods, pod("a"));
  const before = store.version;
  store.compact();
  assert.equal(store.changesAfter(before), undefined);
  assert.deepEqual(store.changesAfter(store.version), []);
  assert.equal(store.list(pods).length, 1);
});

test("ObjectStore lists one namespace, by name", () => {
  const store = new ObjectStore({ historySize: 10 });
  for (const object of [pod("b"), pod("a"), pod("c", "bank")]) store.put(pods, object);
  assert.deepEqual(
    store.list(pods, "shop").map(({ metadata }) => metadata.name),
    ["a", "b"],
  );
  assert.deepEqual(
    store.inNamespace("bank").map(({ object }) => object.metadata.name),
    ["c"],
  );
});
