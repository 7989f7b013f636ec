import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError } from "../errors.ts";
import { silentLogger } from "../log.ts";
import { hostName } from "../model/host-name.ts";
import type { HostsEntry } from "../model/hosts-table.ts";
import { isLoopbackAddress } from "../model/loopback.ts";
import { serviceKey } from "../model/service-key.ts";
import { HostsPublisher } from "./hosts-publisher.ts";

const cart = serviceKey("shop", "cart");
const web = serviceKey("shop", "web");
const full = new LocalizerError("unavailable", "Cannot write the hosts file: no space is left");

function entry(address: string, ...names: readonly string[]): HostsEntry {
  assert.ok(isLoopbackAddress(address));
  return { address, names: names.map(hostName) };
}

/** A publisher whose writes are kept, one text each; `answer` may make them fail or wait. */
function makePublisher(answer: (attempt: number) => unknown = () => {}) {
  const clock = new FakeClock();
  const writes: string[] = [];
  const write = async (entries: readonly HostsEntry[]) => {
    writes.push(entries.map(({ address, names }) => `${address} ${names.join(" ")}`).join("; "));
    await answer(writes.length);
  };
  const publisher = new HostsPublisher({ write, clock, log: silentLogger() });
  return { clock, writes, publisher, [Symbol.asyncDispose]: () => publisher[Symbol.asyncDispose]() };
}

test("HostsPublisher writes nothing before start(), then the whole table at once", async () => {
  await using made = makePublisher();
  made.publisher.set(web, entry("127.1.0.2", "web.shop"));
  made.publisher.set(cart, entry("127.1.0.1", "cart.shop", "cart"));
  await turns();
  assert.deepEqual(made.writes, []);
  assert.equal(made.publisher.settled, false);
  void made.publisher.start();
  await turns();
  assert.deepEqual(made.writes, ["127.1.0.1 cart.shop cart; 127.1.0.2 web.shop"]);
  assert.equal(made.publisher.settled, true);
});

test("HostsPublisher writes nothing when there is nothing to write, and is settled", async () => {
  await using made = makePublisher();
  void made.publisher.start();
  void made.publisher.start();
  await turns();
  assert.deepEqual(made.writes, []);
  assert.equal(made.publisher.settled, true);
});

test("HostsPublisher writes the first change after a quiet time at once, later ones together after 250 ms", async () => {
  await using made = makePublisher();
  void made.publisher.start();
  await made.clock.advance(1_000);
  made.publisher.set(cart, entry("127.1.0.1", "cart.shop"));
  await turns();
  assert.deepEqual(made.writes, ["127.1.0.1 cart.shop"]);
  made.publisher.set(web, entry("127.1.0.2", "web.shop"));
  await made.clock.advance(249);
  made.publisher.set(cart, undefined);
  await turns();
  assert.equal(made.writes.length, 1);
  assert.equal(made.publisher.settled, false);
  await made.clock.advance(1);
  await turns();
  assert.deepEqual(made.writes.slice(1), ["127.1.0.2 web.shop"]);
  await made.clock.advance(250);
  made.publisher.set(web, undefined);
  await turns();
  assert.deepEqual(made.writes.slice(2), [""]);
});

test("HostsPublisher.set() writes nothing when the entry stays the same", async () => {
  await using made = makePublisher();
  void made.publisher.start();
  made.publisher.set(cart, entry("127.1.0.1", "cart.shop"));
  await turns();
  await made.clock.advance(1_000);
  made.publisher.set(cart, entry("127.1.0.1", "cart.shop"));
  made.publisher.set(web, undefined);
  await turns();
  await made.clock.advance(1_000);
  assert.equal(made.writes.length, 1);
  made.publisher.set(cart, entry("127.1.0.1", "cart.shop", "cart"));
  await turns();
  made.publisher.set(cart, entry("127.1.0.9", "cart.shop", "cart"));
  await made.clock.advance(1_000);
  assert.deepEqual(made.writes.slice(1), ["127.1.0.1 cart.shop cart", "127.1.0.9 cart.shop cart"]);
});

test("HostsPublisher writes again what changed while it was writing", async () => {
  const writing = Promise.withResolvers<void>();
  await using made = makePublisher((attempt) => (attempt === 1 ? writing.promise : undefined));
  void made.publisher.start();
  made.publisher.set(cart, entry("127.1.0.1", "cart.shop"));
  await turns();
  made.publisher.set(web, entry("127.1.0.2", "web.shop"));
  await made.clock.advance(1_000);
  assert.equal(made.writes.length, 1);
  writing.resolve();
  await turns();
  assert.equal(made.publisher.settled, false);
  await made.clock.advance(250);
  await turns();
  assert.deepEqual(made.writes.slice(1), ["127.1.0.1 cart.shop; 127.1.0.2 web.shop"]);
  assert.equal(made.publisher.settled, true);
});

test("HostsPublisher tries again until a write works, with the table as it is then", async () => {
  await using made = makePublisher((attempt) => (attempt <= 3 ? Promise.reject(full) : undefined));
  void made.publisher.start();
  made.publisher.set(cart, entry("127.1.0.1", "cart.shop"));
  await turns();
  assert.equal(made.publisher.error, full);
  assert.equal(made.publisher.settled, false);
  made.publisher.set(web, entry("127.1.0.2", "web.shop"));
  await made.clock.advance(49);
  assert.equal(made.writes.length, 1);
  for (let seconds = 0; seconds < 10; seconds++) await made.clock.advance(1_000);
  assert.equal(made.writes.length, 4);
  assert.equal(made.writes.at(-1), "127.1.0.1 cart.shop; 127.1.0.2 web.shop");
  assert.equal(made.publisher.error, undefined);
  assert.equal(made.publisher.settled, true);
});

test("HostsPublisher[Symbol.asyncDispose]() waits for the write under way, ends and leaves no timer", async () => {
  const writing = Promise.withResolvers<void>();
  const { publisher, clock, writes } = makePublisher(() => writing.promise);
  void publisher.start();
  publisher.set(cart, entry("127.1.0.1", "cart.shop"));
  await turns();
  let disposed = false;
  const end = publisher[Symbol.asyncDispose]().then(() => {
    disposed = true;
  });
  await turns();
  assert.equal(disposed, false);
  writing.resolve();
  await end;
  publisher.set(web, entry("127.1.0.2", "web.shop"));
  void publisher.start();
  await turns();
  assert.equal(writes.length, 1);
  assert.equal(clock.pending, 0);
  await publisher[Symbol.asyncDispose]();
});

test("HostsPublisher[Symbol.asyncDispose]() ends one that waits, sleeps or never started", async () => {
  await makePublisher().publisher[Symbol.asyncDispose]();
  const waiting = makePublisher();
  void waiting.publisher.start();
  await turns();
  await waiting.publisher[Symbol.asyncDispose]();
  const sleeping = makePublisher(() => Promise.reject(full));
  void sleeping.publisher.start();
  sleeping.publisher.set(cart, entry("127.1.0.1", "cart.shop"));
  await sleeping.clock.asleep();
  await sleeping.publisher[Symbol.asyncDispose]();
  assert.equal(sleeping.clock.pending, 0);
});

test("HostsPublisher.start() resolves when the first write is over, also when it failed, and at once without one", async () => {
  const writing = Promise.withResolvers<void>();
  await using slow = makePublisher(() => writing.promise);
  slow.publisher.set(cart, entry("127.1.0.1", "cart.shop"));
  let isStarted = false;
  const started = slow.publisher.start().then(() => {
    isStarted = true;
  });
  await turns();
  assert.equal(isStarted, false);
  writing.resolve();
  await started;
  assert.equal(slow.publisher.settled, true);

  await using failing = makePublisher(() => Promise.reject(full));
  failing.publisher.set(cart, entry("127.1.0.1", "cart.shop"));
  await failing.publisher.start();
  assert.equal(failing.publisher.error, full);

  await using empty = makePublisher();
  await empty.publisher.start();
  assert.deepEqual(empty.writes, []);
});

test("HostsPublisher.rewrite() writes the same table again, and `written` is what the file holds", async () => {
  const answers = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using made = makePublisher((attempt) => answers[attempt - 1]?.promise);
  made.publisher.set(cart, entry("127.1.0.1", "cart.shop"));
  void made.publisher.start();
  await turns();
  assert.equal(made.publisher.written, undefined);
  answers[0]?.resolve();
  await turns();
  assert.deepEqual(made.publisher.written, [entry("127.1.0.1", "cart.shop")]);
  made.publisher.rewrite();
  assert.equal(made.publisher.settled, false);
  await made.clock.advance(250);
  assert.deepEqual(made.writes, ["127.1.0.1 cart.shop", "127.1.0.1 cart.shop"]);
  assert.equal(made.publisher.written, undefined);
  answers[1]?.reject(full);
  await turns();
  assert.equal(made.publisher.written, undefined);
});

test("HostsPublisher.hold() keeps every change from the file, and resume() writes once", async () => {
  await using made = makePublisher();
  const { publisher, clock, writes } = made;
  publisher.set(cart, entry("127.1.0.1", "cart.shop"));
  void publisher.start();
  await clock.advance(1_000);
  publisher.hold();
  assert.equal(publisher.settled, false);
  publisher.set(web, entry("127.1.0.2", "web.shop"));
  publisher.rewrite();
  await clock.advance(60_000);
  publisher.set(cart, undefined);
  await clock.advance(60_000);
  assert.deepEqual([writes.length, publisher.settled], [1, false]);
  publisher.resume();
  publisher.resume();
  await turns();
  await clock.advance(60_000);
  assert.deepEqual([writes.slice(1), publisher.settled], [["127.1.0.2 web.shop"], true]);
});

test("HostsPublisher.hold() also ends the retries of a write that failed, and does not keep it from ending", async () => {
  const made = makePublisher((attempt) => (attempt === 1 ? Promise.reject(full) : undefined));
  made.publisher.set(cart, entry("127.1.0.1", "cart.shop"));
  await made.publisher.start();
  made.publisher.hold();
  await made.clock.advance(60_000);
  assert.equal(made.writes.length, 1);
  await made.publisher[Symbol.asyncDispose]();
  assert.equal(made.clock.pending, 0);
});
