import assert from "node:assert/strict";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { turns, until } from "../../test/support/event-loop.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { watchedFile } from "./watched-file.ts";

test("watchedFile() tells versions apart, whichever way the file was changed", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "hosts");
  writeFileSync(path, "one");
  const file = watchedFile(path);
  const versions = [await file.version(), await file.version()];
  writeFileSync(path, "two");
  versions.push(await file.version());
  writeFileSync(`${path}.new`, "two");
  renameSync(`${path}.new`, path);
  versions.push(await file.version());
  rmSync(path);
  versions.push(await file.version());
  assert.equal(versions[0], versions[1]);
  assert.equal(new Set(versions).size, 4);
  assert.equal(versions[4], undefined);
});

test("watchedFile().watch() hears of a file that is replaced, and of no other", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "hosts");
  const other = join(folder.path, "other");
  for (const name of [path, other]) writeFileSync(name, "one");
  const counts = { path: 0, other: 0 };
  using _watch = watchedFile(path).watch(() => void counts.path++);
  using _other = watchedFile(other).watch(() => void counts.other++);
  const replace = async (name: string, isHeard: () => boolean) => {
    writeFileSync(`${name}.new`, "two");
    renameSync(`${name}.new`, name);
    await until(isHeard);
  };
  // The kernel tells in order: once the other watch has heard of the second file, the first has heard all there was for it.
  await replace(other, () => counts.other > 0);
  await turns();
  assert.equal(counts.path, 0);
  await replace(path, () => counts.path > 0);
});

test("watchedFile().watch() on a folder that is not there is no error", () => {
  using _watch = watchedFile("/nonexistent/hosts").watch(() => {});
});
