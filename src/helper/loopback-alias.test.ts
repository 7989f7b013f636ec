import assert from "node:assert/strict";
import { test } from "node:test";
import { addressAt, parseLoopbackRange } from "../model/loopback.ts";
import { LoopbackAliases } from "./loopback-alias.ts";
import { flushDnsCache } from "./system-commands.ts";

const range = parseLoopbackRange("127.91.0.0/16");
const [one, two] = [addressAt(range, 1), addressAt(range, 2)];

test("LoopbackAliases.ensure() writes the alias down, then adds it, once", async () => {
  const { aliases, steps } = machine();
  await aliases.ensure(one);
  await aliases.ensure(one);
  assert.deepEqual(steps, ["journal 127.91.0.1", "/sbin/ifconfig lo0 alias 127.91.0.1 255.255.255.255"]);
});

test("LoopbackAliases.ensure() does nothing on Linux, nor for an address that is there already", async () => {
  const linux = machine({ platform: "linux" });
  await linux.aliases.ensure(one);
  const mac = machine({ present: [one] });
  await mac.aliases.ensure(one);
  await mac.aliases.releaseAll();
  assert.deepEqual([linux.steps, mac.steps], [[], []]);
});

test("LoopbackAliases.ensure() throws when the system refuses, and keeps the alias in the journal", async () => {
  const { aliases } = machine({ refuses: one });
  await assert.rejects(aliases.ensure(one), { code: "unavailable", message: /^Cannot add address 127\.91\.0\.1 to/ });
  assert.deepEqual(aliases.made, [one]);
});

test("LoopbackAliases.release() removes its own alias, then forgets it, and no other's", async () => {
  const { aliases, steps } = machine({ present: [two] });
  await aliases.ensure(one);
  steps.length = 0;
  for (const address of [one, two, "8.8.8.8; rm"]) await aliases.release(address);
  assert.deepEqual(steps, ["/sbin/ifconfig lo0 -alias 127.91.0.1", "journal "]);
});

test("LoopbackAliases.releaseAll() goes on after a failure and throws it", async () => {
  const world = machine();
  await world.aliases.ensure(one);
  await world.aliases.ensure(two);
  world.refuse(one);
  await assert.rejects(world.aliases.releaseAll(), { code: "unavailable" });
  assert.deepEqual([world.aliases.made, [...world.present]], [[one], [one]]);
});

test("LoopbackAliases.tidy() removes what a dead helper left, and nothing that a living one uses", async () => {
  const { aliases, steps } = machine({ present: [one, two] });
  assert.equal(await aliases.tidy([one, two, "127.91.0.3"], new Set([two])), 1);
  assert.deepEqual(steps, ["/sbin/ifconfig lo0 -alias 127.91.0.1"]);
});

test("flushDnsCache() tells both caches of macOS, whatever the first says, and nobody elsewhere", async () => {
  const steps: string[] = [];
  const run = async (command: string, args: readonly string[]) => {
    steps.push([command, ...args].join(" "));
    throw new Error("no such program");
  };
  for (const platform of ["darwin", "linux"] as const) {
    await flushDnsCache({ platform, run, loopbackAddresses: () => new Set() });
  }
  assert.deepEqual(steps, ["/usr/bin/dscacheutil -flushcache", "/usr/bin/killall -HUP mDNSResponder"]);
});

/** A Mac whose interface does what it is told; `steps` are commands and journal entries in their order. */
function machine(options: { platform?: NodeJS.Platform; present?: readonly string[]; refuses?: string } = {}) {
  const steps: string[] = [];
  const present = new Set(options.present);
  let { refuses } = options;
  const run = async (command: string, args: readonly string[]) => {
    steps.push([command, ...args].join(" "));
    const [, verb, address = ""] = args;
    if (address === refuses) throw new Error("ifconfig: permission denied");
    if (verb === "alias") present.add(address);
    else present.delete(address);
  };
  const system = { platform: options.platform ?? "darwin", run, loopbackAddresses: () => present };
  const aliases: LoopbackAliases = new LoopbackAliases(system, async () => {
    steps.push(`journal ${aliases.made.join(" ")}`);
  });
  return {
    ...{ aliases, steps, present },
    refuse: (address: string) => {
      refuses = address;
    },
  };
}
