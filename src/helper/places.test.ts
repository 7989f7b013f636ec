import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { withBlock } from "../hostsfile/block.ts";
import { hostName } from "../model/host-name.ts";
import { addressAt, parseLoopbackRange } from "../model/loopback.ts";
import { helperConfig, hostsInstance } from "./config.ts";
import { Places } from "./places.ts";
import { HelperState } from "./state.ts";
import type { HelperSystem } from "./system-commands.ts";

const user = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
const range = parseLoopbackRange("127.91.0.0/16");
const [one, two] = [addressAt(range, 1), addressAt(range, 2)];
const dead = { pid: 4_194_305, startTime: "1", bootId: "gone" };

test("Places.tidy() leaves a link that another daemon made in place of ours, however often it runs", async () => {
  using world = makeWorld();
  const places = await world.open();
  const target = join(await places.runtimeDirectory(), "s.sock");
  await places.link(target);
  await places.tidy();
  assert.deepEqual([isThere(world.link), existsSync(world.runtime)], [false, false]);
  // The same paths, another's now.
  mkdirSync(world.runtime, { mode: 0o700 });
  symlinkSync(target, world.link);
  await places.tidy();
  await places.tidy(true);
  assert.deepEqual([isThere(world.link), existsSync(world.runtime)], [true, true]);
  assert.deepEqual(world.said, []);
});

test("Places.tidy() leaves a link behind which somebody answers and its record, and the next start removes both", async () => {
  using world = makeWorld();
  const places = await world.open();
  const target = join(await places.runtimeDirectory(), "s.sock");
  await places.link(target);
  const server = await listening(target);
  await places.tidy();
  assert.deepEqual([isThere(world.link), isThere(target), world.records().length], [true, true, 1]);
  await places.tidy(true);
  assert.deepEqual([isThere(world.link), isThere(target), world.records().length], [false, false, 0]);
  await new Promise((resolve) => server.close(resolve));
});

test("Places.open() removes the dead socket behind a killed helper's link, and keeps one that answers", async () => {
  using world = makeWorld();
  mkdirSync(world.runtime, { mode: 0o700 });
  const target = join(world.runtime, "s.sock");
  const path = join(world.folder, "other.sock");
  symlinkSync(target, path);
  const state = await HelperState.open(world.state, user.uid === 0);
  await state.record({ owner: dead, hostsFile: world.hosts, link: { path, target } });
  const server = await listening(target);
  await world.open();
  assert.deepEqual([isThere(path), isThere(target), world.records().length], [true, true, 1]);
  // Node removes the file of a server that is closed; a killed one's stays.
  renameSync(target, `${target}.kept`);
  await new Promise((resolve) => server.close(resolve));
  renameSync(`${target}.kept`, target);
  await world.open();
  assert.deepEqual([isThere(path), existsSync(world.runtime), world.records().length], [false, false, 0]);
});

test("Places.open() leaves a dead socket that lies elsewhere", async () => {
  using world = makeWorld();
  const path = join(world.folder, "other.sock");
  for (const folder of ["elsewhere", "localizer-x", "deep/localizer-1"]) {
    mkdirSync(join(world.folder, folder), { recursive: true });
    const target = join(world.folder, folder, "s.sock");
    writeFileSync(target, "");
    symlinkSync(target, path);
    const state = await HelperState.open(world.state, user.uid === 0);
    await state.record({ owner: dead, hostsFile: world.hosts, link: { path, target } });
    await world.open();
    assert.deepEqual([isThere(path), isThere(target)], [false, true]);
    unlinkSync(target);
  }
});

test("Places writes an alias into the record before it is made, and takes it back in the end", async () => {
  using world = makeWorld();
  const mac = macOf();
  const places = await world.open(mac.system);
  const recorded: unknown[] = [];
  mac.before(() => recorded.push(world.aliases()));
  await places.ensureAddress(one);
  await places.ensureAddress(two);
  await places.release(two);
  assert.deepEqual(recorded, [[one], [one, two], [one, two]]);
  assert.deepEqual([[...mac.present], world.aliases()], [[one], [one]]);
  await places.tidy();
  assert.deepEqual([[...mac.present], world.records()], [[], []]);
});

test("Places.open() removes a dead helper's aliases and says so, and keeps the record while that fails", async () => {
  using world = makeWorld();
  const mac = macOf([one, two]);
  const state = await HelperState.open(world.state, user.uid === 0);
  await state.record({ owner: dead, hostsFile: world.hosts, aliases: [one] });
  mac.before(() => {
    throw new Error("busy");
  });
  assert.deepEqual((await world.open(mac.system)).removed, []);
  assert.deepEqual([world.said.length, world.records().length], [1, 1]);
  mac.before(() => {});
  assert.deepEqual((await world.open(mac.system)).removed, ["1 addresses of the loopback interface"]);
  assert.deepEqual([[...mac.present], world.records()], [[two], []]);
});

test("Places.open() says which block and link it removed", async () => {
  using world = makeWorld();
  const block = withBlock(readFileSync(world.hosts), { ...dead, instance: "killed" }, [
    { address: one, names: [hostName("old.shop")] },
  ]);
  writeFileSync(world.hosts, block);
  mkdirSync(world.runtime, { mode: 0o700 });
  const target = join(world.runtime, "s.sock");
  symlinkSync(target, world.link);
  const state = await HelperState.open(world.state, user.uid === 0);
  await state.record({ owner: dead, hostsFile: world.hosts, link: { path: world.link, target } });
  assert.deepEqual((await world.open()).removed, [
    `the link "${world.link}"`,
    `the runtime folder "${world.runtime}"`,
    `the block of process ${dead.pid} in "${world.hosts}"`,
  ]);
  assert.deepEqual((await world.open()).removed, []);
});

test("Places leaves a block of another container's process, and says what to do", {
  skip: process.platform !== "linux",
}, async () => {
  using world = makeWorld();
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  const foreign = { ...dead, bootId, pidNamespace: "1", instance: hostsInstance(world.link) };
  const entries = [{ address: one, names: [hostName("old.shop")] }];
  const block = withBlock(readFileSync(world.hosts), foreign, entries);
  assert.ok(block !== "unchanged");
  writeFileSync(world.hosts, block);
  const places = await world.open();
  assert.deepEqual([places.removed, readFileSync(world.hosts)], [[], block]);
  await assert.rejects(places.writeHosts(entries), {
    code: "conflict",
    message: /of another container; if that one is gone/,
  });
});

/** A Mac whose loopback interface has these addresses beside its own. */
function macOf(addresses: readonly string[] = []) {
  const present = new Set(addresses);
  let before = () => {};
  const system: HelperSystem = {
    platform: "darwin",
    loopbackAddresses: () => present,
    async run(command, [, verb, address = ""]) {
      if (command !== "/sbin/ifconfig") return;
      before();
      if (verb === "alias") present.add(address);
      else present.delete(address);
    },
  };
  return {
    ...{ present, system },
    before(run: () => void) {
      before = run;
    },
  };
}

interface World extends Disposable {
  readonly folder: string;
  readonly hosts: string;
  readonly link: string;
  readonly state: string;
  /** The user's runtime folder. */
  readonly runtime: string;
  readonly said: readonly string[];
  readonly records: () => readonly string[];
  /** Those of the one record. */
  readonly aliases: () => unknown;
  open(system?: HelperSystem): Promise<Places>;
}

function makeWorld(): World {
  const temporary = temporaryFolder();
  const folder = temporary.path;
  const place = (name: string) => join(folder, name);
  const [hosts, link, state] = [place("hosts"), place("public.sock"), place("state")];
  writeFileSync(hosts, "127.0.0.1 localhost\n");
  const said: string[] = [];
  const config = {
    ...helperConfig({ hostsFile: hosts, socketLink: link, stateDir: state }, user),
    runtimeBase: folder,
  };
  return {
    folder,
    hosts,
    link,
    state,
    said,
    runtime: place(`localizer-${user.uid}`),
    records: () => readdirSync(state).filter((name) => name.startsWith("helper-")),
    aliases: () => {
      const [name = ""] = readdirSync(state).filter((each) => each.startsWith("helper-"));
      return JSON.parse(readFileSync(join(state, name), "utf8")).aliases;
    },
    open: (system) => Places.open(config, (sentence) => said.push(sentence), system),
    [Symbol.dispose]: () => temporary[Symbol.dispose](),
  };
}

async function listening(path: string): Promise<Server> {
  const server = createServer().listen(path);
  await new Promise((resolve) => server.once("listening", resolve));
  return server;
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
