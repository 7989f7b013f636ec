import assert from "node:assert/strict";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
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
  writeFileSync(path, "one");
  const changed = Promise.withResolvers<void>();
  using _watch = watchedFile(path).watch(changed.resolve);
  const held = AbortSignal.timeout(10_000);
  writeFileSync(`${path}.new`, "two");
  renameSync(`${path}.new`, path);
  const late = new Promise((_, reject) => held.addEventListener("abort", () => reject(held.reason)));
  await Promise.race([changed.promise, late]);
});

test("watchedFile().watch() on a folder that is not there is no error", () => {
  using _watch = watchedFile("/nonexistent/hosts").watch(() => {});
});
