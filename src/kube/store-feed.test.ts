import assert from "node:assert/strict";
import { test } from "node:test";
import { Logger } from "../log.ts";
import { textAt } from "./json.ts";
import { Store, type StoredObject } from "./store.ts";
import { StoreFeed } from "./store-feed.ts";

const object = (name: string, { uid = `uid-${name}`, version = "1", broken = false } = {}) => ({
  metadata: { namespace: "shop", name, uid, resourceVersion: version },
  broken,
});

function parse(value: unknown): StoredObject {
  if (Reflect.get(Object(value), "broken") === true) throw new Error("broken");
  const [name = "", uid = ""] = [textAt(value, "metadata", "name"), textAt(value, "metadata", "uid")];
  return { namespace: "shop", name, uid };
}

/** A feed with "a" in its store. */
function setUp() {
  const store = new Store<StoredObject>();
  const warnings: string[] = [];
  const log = new Logger(({ level, fields }) => level === "warn" && warnings.push(String(fields?.object)));
  const feed = new StoreFeed({ store, log, parse });
  const list = (items: readonly unknown[]) =>
    feed.replace(
      items.map((item) => feed.read(item)),
      undefined,
    );
  list([object("a")]);
  const names = () => store.list().map(({ name }) => name);
  return { feed, list, store, warnings, names };
}

test("StoreFeed forgets an object that changed into something unreadable", () => {
  const { feed, warnings, names } = setUp();
  feed.take({ type: "MODIFIED", object: object("a", { version: "2", broken: true }) });
  assert.deepEqual([names(), warnings], [[], ["shop/a"]]);
  feed.take({ type: "MODIFIED", object: object("a", { version: "3" }) });
  assert.deepEqual(names(), ["a"]);
});

test("StoreFeed forgets an object when an unreadable one has its name", () => {
  const { feed, names } = setUp();
  feed.take({ type: "ADDED", object: object("a", { uid: "other", broken: true }) });
  assert.deepEqual(names(), []);
});

test("StoreFeed says once for each version that an object cannot be read", () => {
  const { feed, list, warnings } = setUp();
  const broken = (version: string) => object("b", { version, broken: true });
  for (let turn = 0; turn < 3; turn++) list([broken("1")]);
  feed.take({ type: "ADDED", object: broken("1") });
  assert.equal(warnings.length, 1);
  feed.take({ type: "MODIFIED", object: broken("2") });
  assert.equal(warnings.length, 2);
  list([]);
  list([broken("2")]);
  assert.equal(warnings.length, 3);
});

test("StoreFeed lists what it has already without a word, and keeps the objects it has", () => {
  const { list, store, names } = setUp();
  list([object("a"), object("b")]);
  const before = store.list();
  const changes: string[] = [];
  store.subscribe((batch) => changes.push(...batch.map(({ kind, key }) => `${kind} ${key}`)));
  list([object("b"), object("a", { version: "2" })]);
  assert.deepEqual([changes, names()], [[], ["a", "b"]]);
  for (const [index, one] of store.list().entries()) assert.equal(one, before[index]);
  list([object("a", { uid: "other" })]);
  assert.deepEqual(changes, ["removed shop/b", "removed shop/a", "added shop/a"]);
});
