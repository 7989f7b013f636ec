import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { HostsPublisher } from "../controller/hosts-publisher.ts";
import { withBlock } from "../hostsfile/block.ts";
import { silentLogger } from "../log.ts";
import { hostName } from "../model/host-name.ts";
import type { HostsEntry } from "../model/hosts-table.ts";
import { addressAt, parseLoopbackRange } from "../model/loopback.ts";
import { serviceKey } from "../model/service-key.ts";
import { HostsGuard } from "./hosts-guard.ts";

const range = parseLoopbackRange("127.1.0.0/16");
const owner = { pid: 71, startTime: "1", bootId: "b", instance: "default" };
const foreign = "127.0.0.1 localhost\n";

/** A guard and the publisher that really writes, over a file in memory. */
async function guardedPublisher() {
  const clock = new FakeClock();
  const file = { text: foreign, version: 0, writes: 0 };
  const put = (text: string) => {
    file.text = text;
    file.version++;
  };
  const write = async (entries: readonly HostsEntry[]) => {
    file.writes++;
    const bytes = withBlock(Buffer.from(file.text), owner, entries);
    if (bytes !== "unchanged") put(bytes.toString());
  };
  const hosts = new HostsPublisher({ write, clock, log: silentLogger() });
  let hint = () => {};
  const watched = {
    version: async () => String(file.version),
    read: async () => Buffer.from(file.text),
    watch(changed: () => void) {
      hint = changed;
      return { [Symbol.dispose]() {} };
    },
  };
  const components = { hosts, file: watched, clock, log: silentLogger() };
  const guard = new HostsGuard(components, { path: "/etc/hosts", instance: "default" });
  const serve = (name: string, index: number) =>
    hosts.set(serviceKey("shop", name), { address: addressAt(range, index), names: [hostName(`${name}.shop`)] });
  serve("cart", 1);
  await hosts.start();
  guard.start();
  await turns();
  return {
    ...{ clock, file, hosts, guard, serve },
    /** Somebody else removes the block, and the watch notices; then as much time passes as a write takes. */
    async remove(ms = 1_000) {
      put(foreign);
      hint();
      await turns();
      await clock.advance(ms);
      await turns();
    },
    async [Symbol.asyncDispose]() {
      await guard[Symbol.asyncDispose]();
      await hosts[Symbol.asyncDispose]();
    },
  };
}

test("HostsGuard, while it rests, lets no change of the table through, and afterwards all of them in one write", async () => {
  await using world = await guardedPublisher();
  for (let times = 0; times < 3; times++) await world.remove();
  assert.ok(world.guard.notice);
  const { writes } = world.file;
  world.serve("web", 2);
  world.hosts.rewrite();
  await world.clock.advance(5 * 60_000);
  world.serve("db", 3);
  await world.clock.advance(4 * 60_000);
  assert.deepEqual([world.file.writes, world.file.text], [writes, foreign]);
  await world.clock.advance(2 * 60_000);
  await turns();
  await world.clock.advance(60_000);
  assert.deepEqual([world.file.writes, world.guard.notice], [writes + 1, undefined]);
  for (const name of ["cart", "web", "db"]) assert.ok(world.file.text.includes(`${name}.shop`), name);
});

test("HostsGuard and its publisher are not settled from the finding to the rewrite, nor during the rest", async () => {
  await using world = await guardedPublisher();
  await world.clock.advance(1_000);
  assert.equal(world.hosts.settled, true);
  // The publisher has written just now, so that its next write waits.
  world.serve("web", 2);
  await turns();
  await world.remove(101);
  assert.equal(world.hosts.settled, false);
  await world.clock.advance(1_000);
  assert.equal(world.hosts.settled, true);
  for (let times = 0; times < 2; times++) await world.remove();
  assert.ok(world.guard.notice);
  assert.equal(world.hosts.settled, false);
  await world.clock.advance(12 * 60_000);
  assert.equal(world.hosts.settled, true);
});
