/** Two daemons with one hosts file, each as far as it has to do with that file. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { AddressBook } from "../addresses/address-book.ts";
import { HostsPublisher } from "../controller/hosts-publisher.ts";
import { withBlock } from "../hostsfile/block.ts";
import { foreignHosts } from "../hostsfile/foreign.ts";
import { silentLogger } from "../log.ts";
import { hostName } from "../model/host-name.ts";
import type { HostsEntry } from "../model/hosts-table.ts";
import { parseLoopbackRange } from "../model/loopback.ts";
import { serviceKey } from "../model/service-key.ts";
import { ForeignNames } from "./foreign-names.ts";
import { HostsGuard } from "./hosts-guard.ts";

/** A hosts file that any number of daemons watch. */
function sharedFile() {
  const state = { text: "127.0.0.1 localhost\n", version: 0 };
  const watchers = new Set<() => void>();
  const put = (text: string) => {
    state.text = text;
    state.version++;
    for (const changed of watchers) changed();
  };
  const watched = {
    version: async () => String(state.version),
    read: async () => Buffer.from(state.text),
    watch(changed: () => void) {
      watchers.add(changed);
      return { [Symbol.dispose]: () => void watchers.delete(changed) };
    },
  };
  return { state, put, watched };
}

/** A daemon that serves services of these names, moving and dropping names as Controller does. */
async function makeDaemon(instance: string, shared: ReturnType<typeof sharedFile>, clock: FakeClock) {
  const { state, put, watched } = shared;
  const owner = { pid: 71, startTime: "1", bootId: "b", instance };
  const changes = { moves: 0, writes: 0 };
  const write = async (entries: readonly HostsEntry[]) => {
    changes.writes++;
    const bytes = withBlock(Buffer.from(state.text), owner, entries);
    if (bytes !== "unchanged") put(bytes.toString());
  };
  const hosts = new HostsPublisher({ write, clock, log: silentLogger() });
  const foreign = new ForeignNames(foreignHosts(Buffer.from(state.text), instance));
  // Four addresses: that they meet is certain.
  const range = parseLoopbackRange("127.9.0.0/30");
  const book = new AddressBook({ range, clusterUrl: "https://c/", taken: foreign.addresses });
  const served = new Set<string>();
  const reconcile = (name: string) => {
    const key = serviceKey("shop", name);
    if (book.isMisplaced(key)) {
      changes.moves++;
      book.release(key);
    }
    const names = [`${name}.shop`].filter((each) => !foreign.names.has(each)).map(hostName);
    hosts.set(key, { address: book.allocate(key), names });
  };
  foreign.onChange(() => {
    for (const name of served) reconcile(name);
  });
  const onRead = (bytes: Buffer, written: readonly HostsEntry[]) => foreign.set(foreignHosts(bytes, instance, written));
  const components = { hosts, file: watched, onRead, clock, log: silentLogger() };
  const guard = new HostsGuard(components, { path: "/etc/hosts", instance });
  await hosts.start();
  guard.start();
  await turns();
  return {
    ...{ book, changes, guard },
    serve(...names: readonly string[]) {
      for (const name of names) {
        served.add(name);
        reconcile(name);
      }
    },
    addressOf: (name: string) => book.allocate(serviceKey("shop", name)),
    async [Symbol.asyncDispose]() {
      await guard[Symbol.asyncDispose]();
      await hosts[Symbol.asyncDispose]();
    },
  };
}

async function settle(clock: FakeClock): Promise<void> {
  for (let step = 0; step < 60; step++) {
    await clock.advance(250);
    await turns(5);
  }
}

test("two daemons that come to the same address and name at once: one yields, and then nobody moves any more", async () => {
  const clock = new FakeClock();
  const shared = sharedFile();
  await using first = await makeDaemon("aa", shared, clock);
  await using second = await makeDaemon("bb", shared, clock);
  first.serve("cart");
  second.serve("cart");
  assert.equal(first.addressOf("cart"), second.addressOf("cart"));
  await settle(clock);
  assert.notEqual(first.addressOf("cart"), second.addressOf("cart"));
  assert.deepEqual([first.changes.moves, second.changes.moves], [0, 1]);
  assert.equal(shared.state.text.match(/cart\.shop/g)?.length, 1);
  const before = [first.changes.writes, second.changes.writes, shared.state.text];
  await settle(clock);
  assert.deepEqual([first.changes.writes, second.changes.writes, shared.state.text], before);
  assert.deepEqual([first.guard.notice, second.guard.notice], [undefined, undefined]);
});

test("a daemon gives a new service no address and no name that another daemon took after its start", async () => {
  const clock = new FakeClock();
  const shared = sharedFile();
  await using first = await makeDaemon("aa", shared, clock);
  await using second = await makeDaemon("bb", shared, clock);
  second.serve("cart", "web");
  await settle(clock);
  first.serve("cart", "db");
  await settle(clock);
  const addresses = [first.addressOf("cart"), first.addressOf("db"), second.addressOf("cart"), second.addressOf("web")];
  assert.equal(new Set(addresses).size, 4);
  assert.deepEqual([first.changes.moves, second.changes.moves], [0, 0]);
  assert.equal(shared.state.text.match(/cart\.shop/g)?.length, 1);
});

test("a line that the user adds later takes name and address from a daemon, and gives the name back when it goes", async () => {
  const clock = new FakeClock();
  const shared = sharedFile();
  await using daemon = await makeDaemon("aa", shared, clock);
  daemon.serve("cart");
  await settle(clock);
  const address = daemon.addressOf("cart");
  const line = `${address} mine cart.shop\n`;
  shared.put(line + shared.state.text);
  await settle(clock);
  assert.notEqual(daemon.addressOf("cart"), address);
  assert.equal(shared.state.text.match(/cart\.shop/g)?.length, 1);
  shared.put(shared.state.text.replace(line, ""));
  await settle(clock);
  assert.ok(shared.state.text.includes(`${daemon.addressOf("cart")} cart.shop # localizer:aa`));
  assert.deepEqual([daemon.changes.moves, daemon.guard.notice], [1, undefined]);
});
