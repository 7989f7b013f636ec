import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { writePrivate } from "./write-private.ts";

const modeOf = (path: string) => statSync(path).mode & 0o777;

test("writePrivate() makes a file that only its owner may read, and leaves nothing beside it", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, ".env");
  await writePrivate(path, "A=1\n");
  assert.deepEqual([readFileSync(path, "utf8"), modeOf(path), readdirSync(folder.path)], ["A=1\n", 0o600, [".env"]]);
});

test("writePrivate() closes a file that was open to all, also behind a link", async () => {
  using folder = temporaryFolder();
  const [path, link] = [join(folder.path, "real"), join(folder.path, "link")];
  writeFileSync(path, "old", { mode: 0o644 });
  symlinkSync(path, link);
  await writePrivate(link, "new");
  assert.deepEqual([readFileSync(path, "utf8"), modeOf(path)], ["new", 0o600]);
  assert.ok(lstatSync(link).isSymbolicLink());
});

test("writePrivate() writes into what is no file, and does not replace it", async () => {
  using folder = temporaryFolder();
  const pipe = join(folder.path, "pipe");
  execFileSync("mkfifo", [pipe]);
  const [{ promise, resolve }, { readFile }] = [Promise.withResolvers<string>(), await import("node:fs/promises")];
  readFile(pipe, "utf8").then(resolve, assert.fail);
  await writePrivate(pipe, "A=1\n");
  assert.equal(await promise, "A=1\n");
  assert.ok(lstatSync(pipe).isFIFO());
});

test("writePrivate() names the file that it cannot write", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "none", ".env");
  const message = `Cannot write "${path}": no such file or directory`;
  await assert.rejects(writePrivate(path, ""), { code: "not-found", message });
});
