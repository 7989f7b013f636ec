import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { helperConfig } from "./config.ts";
import { Places } from "./places.ts";
import { HelperState } from "./state.ts";

const user = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
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

interface World extends Disposable {
  readonly folder: string;
  readonly hosts: string;
  readonly link: string;
  readonly state: string;
  /** The user's runtime folder. */
  readonly runtime: string;
  readonly said: readonly string[];
  readonly records: () => readonly string[];
  open(): Promise<Places>;
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
    open: () => Places.open(config, (sentence) => said.push(sentence)),
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
