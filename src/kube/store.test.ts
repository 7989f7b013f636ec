import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Store, type StoreChange, storeKey } from "./store.ts";

interface Thing {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly group: string;
}

function thing(name: string, uid = "1", group = "g"): Thing {
  const [namespace = "", rest = ""] = name.split("/");
  return { namespace, name: rest, uid, group };
}

function newStore(...objects: Thing[]) {
  const store = new Store<Thing>({ indexBy: ({ group }) => group });
  store.replace(objects);
  const changes: string[] = [];
  const batches: number[] = [];
  store.subscribe((batch) => {
    batches.push(batch.length);
    for (const { kind, key } of batch) changes.push(`${kind} ${key}`);
  });
  return { store, changes, batches };
}

test("Store.put() reports added, changed, and nothing for an equal object", () => {
  const { store, changes } = newStore();
  store.put(thing("a/x"));
  store.put(thing("a/x"));
  store.put(thing("a/x", "1", "h"));
  assert.deepEqual(changes, ["added a/x", "changed a/x"]);
  assert.deepEqual(store.get("a/x"), thing("a/x", "1", "h"));
});

test("Store.put() of another object with the same name reports removed and added", () => {
  const { store, changes } = newStore(thing("a/x"));
  store.put(thing("a/x", "2"));
  assert.deepEqual(changes, ["removed a/x", "added a/x"]);
});

test("Store.delete() passes over an object that is another's successor", () => {
  const { store, changes } = newStore(thing("a/x", "2"));
  store.delete(thing("a/x", "1"));
  assert.deepEqual(changes, []);
  store.delete(thing("a/x", "2"));
  store.delete(thing("a/x", "2"));
  assert.deepEqual(changes, ["removed a/x"]);
});

test("Store.replace() reports what differs, in one batch, and what was made anew as both", () => {
  const { store, changes, batches } = newStore(thing("a/same"), thing("a/gone"), thing("a/new"), thing("a/other"));
  store.replace([thing("a/same"), thing("a/new", "2"), thing("a/other", "1", "h"), thing("a/more")]);
  assert.deepEqual(changes, ["removed a/gone", "removed a/new", "added a/new", "changed a/other", "added a/more"]);
  assert.deepEqual(batches, [5]);
  store.replace(store.list());
  assert.deepEqual(batches, [5]);
});

test("Store.replace() of one namespace leaves the others alone", () => {
  const { store, changes } = newStore(thing("a/x"), thing("b/x"));
  store.replace([], "a");
  assert.deepEqual(changes, ["removed a/x"]);
  assert.deepEqual(store.list(), [thing("b/x")]);
});

test("Store.byIndex() follows an object to its new value", () => {
  const { store } = newStore(thing("a/x"), thing("a/y"));
  store.put(thing("a/x", "1", "h"));
  assert.deepEqual(store.byIndex("g"), [thing("a/y")]);
  assert.deepEqual(store.byIndex("h"), [thing("a/x", "1", "h")]);
  assert.deepEqual(store.byIndex("none"), []);
});

test("Store.subscribe() ends when it is disposed", () => {
  const { store } = newStore();
  let calls = 0;
  const subscription = store.subscribe(() => calls++);
  store.put(thing("a/x"));
  subscription[Symbol.dispose]();
  store.put(thing("a/y"));
  assert.equal(calls, 1);
});

const things = fc.record({
  namespace: fc.constantFrom("a", "b"),
  name: fc.constantFrom("x", "y", "z"),
  uid: fc.constantFrom("1", "2"),
  group: fc.constantFrom("g", "h"),
});
const steps = fc.oneof(
  fc.record({ act: fc.constant("put" as const), object: things }),
  fc.record({ act: fc.constant("delete" as const), object: things }),
  fc.record({
    act: fc.constant("replace" as const),
    objects: fc.array(things),
    namespace: fc.option(fc.constant("a")),
  }),
);

test("Store: what subscribers were told, played back, is what the store holds, by key and by index", () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 30 }), (acts) => {
      const store = new Store<Thing>({ indexBy: ({ group }) => group });
      const replica = new Map<string, Thing>();
      store.subscribe((changes) => play(changes, replica));
      for (const step of acts) {
        if (step.act === "put") store.put(step.object);
        else if (step.act === "delete") store.delete(step.object);
        else {
          const mine = step.objects.filter(({ namespace }) => step.namespace === null || namespace === step.namespace);
          const kept = store.list().filter(({ namespace }) => step.namespace !== null && namespace !== step.namespace);
          store.replace(mine, step.namespace ?? undefined);
          const expected = new Map([...kept, ...mine].map((object) => [storeKey(object), object]));
          assert.deepEqual(byKey(store.list()), byKey([...expected.values()]));
        }
        assert.deepEqual(byKey(store.list()), byKey([...replica.values()]));
        assert.deepEqual(byKey([...store.byIndex("g"), ...store.byIndex("h")]), byKey(store.list()));
      }
    }),
  );
});

/** Applies changes as a subscriber would, and checks that each fits what was there. */
function play(changes: readonly StoreChange<Thing>[], replica: Map<string, Thing>): void {
  for (const change of changes) {
    const before = replica.get(change.key);
    assert.deepEqual(before, change.kind === "added" ? undefined : change.previous);
    if (change.kind === "removed") replica.delete(change.key);
    else replica.set(change.key, change.object);
    if (change.kind === "changed") assert.equal(change.object.uid, change.previous.uid);
  }
}

function byKey(objects: readonly Thing[]): readonly Thing[] {
  return [...objects].sort((a, b) => (storeKey(a) < storeKey(b) ? -1 : 1));
}
