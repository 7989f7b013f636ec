import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { Logger } from "../log.ts";
import { addressAt, parseLoopbackRange } from "../model/loopback.ts";
import { serviceKey } from "../model/service-key.ts";
import { AddressFile } from "./address-file.ts";

const range = parseLoopbackRange("127.0.0.0/8");
const cart = serviceKey("shop", "cart");
const web = serviceKey("shop", "web");
const [first, second] = [addressAt(range, 70_000), addressAt(range, 70_001)];

/** A folder in which the files of a test lie, and how to open one there. */
function makePlace() {
  const temporary = temporaryFolder();
  const folder = join(temporary.path, "state", "localizer");
  const clock = new FakeClock();
  const warnings: string[] = [];
  const log = new Logger(({ level, message }) => level === "warn" && warnings.push(message));
  return {
    ...{ folder, clock, warnings },
    open: (options: { clusterUrl?: string; range?: string } = {}) =>
      AddressFile.open(
        { clock, log },
        {
          folder,
          clusterUrl: options.clusterUrl ?? "https://c/",
          range: parseLoopbackRange(options.range ?? "127.0.0.0/8"),
        },
      ),
    [Symbol.dispose]: () => temporary[Symbol.dispose](),
  };
}

test("AddressFile gives after its end what was remembered before, in a file and a folder that are the user's alone", async () => {
  using place = makePlace();
  {
    await using file = await place.open();
    assert.deepEqual(file.memory.entries, []);
    file.memory.remember(cart, first);
  }
  await using file = await place.open();
  assert.deepEqual(file.memory.entries, [[cart, first]]);
  assert.equal(statSync(file.path).mode & 0o777, 0o600);
  assert.equal(statSync(place.folder).mode & 0o777, 0o700);
  assert.deepEqual(place.warnings, []);
});

test("AddressFile makes no folder and no file while nothing is to be remembered", async () => {
  using place = makePlace();
  await (await place.open())[Symbol.asyncDispose]();
  assert.throws(() => statSync(dirname(place.folder)), { code: "ENOENT" });
});

test("AddressFile writes changes of a short time together, and leaves nothing beside the file", async () => {
  using place = makePlace();
  await using file = await place.open();
  file.memory.remember(cart, first);
  file.memory.remember(web, second);
  assert.throws(() => statSync(file.path), { code: "ENOENT" });
  await place.clock.advance(100);
  await until(() => statSync(file.path, { throwIfNoEntry: false }) !== undefined);
  const { ino } = statSync(file.path);
  await place.clock.advance(10_000);
  assert.equal(statSync(file.path).ino, ino);
  assert.deepEqual(readdirSync(place.folder), [basename(file.path)]);
  assert.match(readFileSync(file.path, "utf8"), /"shop\/cart","127\.1\.17\.112"[\s\S]*"shop\/web"/);
  assert.equal(place.clock.pending, 0);
});

test("AddressFile keeps clusters and ranges apart", async () => {
  using place = makePlace();
  await using one = await place.open();
  await using other = await place.open({ clusterUrl: "https://d/" });
  await using narrow = await place.open({ range: "127.1.0.0/16" });
  assert.equal(new Set([one.path, other.path, narrow.path]).size, 3);
  one.memory.remember(cart, first);
  other.memory.remember(cart, second);
  for (const file of [one, other, narrow]) await file[Symbol.asyncDispose]();
  assert.deepEqual((await place.open()).memory.entries, [[cart, first]]);
  assert.deepEqual((await place.open({ clusterUrl: "https://d/" })).memory.entries, [[cart, second]]);
});

const breaks: readonly [title: string, breakIt: (path: string) => void][] = [
  ["is cut", (path) => writeFileSync(path, '{ "version": 1, "clus')],
  ["is of a later version", (path) => writeFileSync(path, '{ "version": 99 }')],
  ["is a folder", (path) => mkdirSync(path)],
  ["is a link to something without an end", (path) => symlinkSync("/dev/zero", path)],
  ["is larger than any of ours", (path) => writeFileSync(path, Buffer.alloc(16 * 1024 * 1024 + 1, " "))],
];

for (const [title, breakIt] of breaks) {
  test(`AddressFile sets a file aside that ${title}, warns and starts anew`, async () => {
    using place = makePlace();
    const { path } = await place.open();
    mkdirSync(place.folder, { recursive: true });
    breakIt(path);
    const file = await place.open();
    assert.deepEqual(file.memory.entries, []);
    assert.deepEqual(place.warnings, ["Cannot use remembered addresses; the file is set aside"]);
    assert.deepEqual(readdirSync(place.folder), [`${basename(path)}.set-aside`]);
    file.memory.remember(cart, first);
    await file[Symbol.asyncDispose]();
    assert.deepEqual((await place.open()).memory.entries, [[cart, first]]);
  });
}

test("AddressFile warns once when it cannot write, tries again and writes when it can", async () => {
  using place = makePlace();
  const inTheWay = dirname(place.folder);
  writeFileSync(inTheWay, "");
  await using file = await place.open();
  file.memory.remember(cart, first);
  for (let round = 0; round < 2; round++) {
    await place.clock.advance(30_000);
    await until(() => place.clock.pending === 1);
  }
  assert.deepEqual(place.warnings.slice(-1), ["Cannot remember addresses for the next start"]);
  const { length } = place.warnings;
  rmSync(inTheWay);
  await place.clock.advance(30_000);
  await until(() => statSync(file.path, { throwIfNoEntry: false }) !== undefined);
  assert.equal(place.warnings.length, length);
});

test("AddressFile replaces what a killed writer left, and lets an existing folder's mode alone", async () => {
  using place = makePlace();
  mkdirSync(place.folder, { recursive: true });
  chmodSync(place.folder, 0o755);
  const file = await place.open();
  writeFileSync(`${file.path}.new`, "half");
  file.memory.remember(cart, first);
  await file[Symbol.asyncDispose]();
  await file[Symbol.asyncDispose]();
  assert.deepEqual((await place.open()).memory.entries, [[cart, first]]);
  assert.equal(statSync(place.folder).mode & 0o777, 0o755);
  assert.equal(place.clock.pending, 0);
});

test("AddressFile[Symbol.asyncDispose]() writes what came while it was writing, and leaves no timer", async () => {
  using place = makePlace();
  const file = await place.open();
  file.memory.remember(cart, first);
  // The write begins with the turn of the clock and is not over when it returns.
  await place.clock.advance(100);
  file.memory.remember(web, second);
  await file[Symbol.asyncDispose]();
  assert.equal(place.clock.pending, 0);
  assert.equal((await place.open()).memory.entries.length, 2);
  assert.deepEqual(readdirSync(place.folder), [basename(file.path)]);
});

test("AddressFile[Symbol.asyncDispose]() ends also when it cannot write", async () => {
  using place = makePlace();
  writeFileSync(dirname(place.folder), "");
  const file = await place.open();
  file.memory.remember(cart, first);
  await file[Symbol.asyncDispose]();
  assert.deepEqual([place.clock.pending, place.warnings.at(-1)], [0, "Cannot remember addresses for the next start"]);
});
