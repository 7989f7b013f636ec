import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { checkedLink, makeLink, removeLink } from "./socket-link.ts";

const uid = process.geteuid?.() ?? 0;

test("makeLink() makes a link, and makes it again over itself", async () => {
  using folder = temporaryFolder();
  const link = { path: join(folder.path, "public"), target: join(folder.path, "real") };
  await makeLink(link);
  await makeLink(link);
  assert.equal(readlinkSync(link.path), link.target);
  assert.deepEqual(readdirSync(folder.path), ["public"]);
});

test("makeLink() replaces a link whose target is dead, not one whose target answers", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "public");
  const other = join(folder.path, "other");
  const server = createServer().listen(other);
  await new Promise((resolve) => server.once("listening", resolve));
  symlinkSync(other, path);
  const mine = { path, target: join(folder.path, "mine") };
  await assert.rejects(makeLink(mine), { code: "conflict", message: /another localizer answers at ".*\/other"$/ });
  assert.equal(readlinkSync(path), other);
  await new Promise((resolve) => server.close(resolve));
  await makeLink(mine);
  assert.equal(readlinkSync(path), mine.target);
});

test("makeLink() leaves a file that is no link", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "public");
  writeFileSync(path, "socket of the original");
  await assert.rejects(makeLink({ path, target: join(folder.path, "mine") }), { code: "conflict" });
  assert.deepEqual(readdirSync(folder.path), ["public"]);
});

test("removeLink() removes only the very link", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "public");
  symlinkSync("/other", path);
  await removeLink({ path, target: "/mine" });
  assert.equal(readlinkSync(path), "/other");
  await removeLink({ path, target: "/other" });
  assert.equal(existsSync(path), false);
  await removeLink({ path, target: "/other" });
});

test("removeLink() leaves a link behind which somebody answers, unless told that it is ours", async () => {
  using folder = temporaryFolder();
  const link = { path: join(folder.path, "public"), target: join(folder.path, "real") };
  const server = createServer().listen(link.target);
  await new Promise((resolve) => server.once("listening", resolve));
  symlinkSync(link.target, link.path);
  assert.equal(await removeLink(link), false);
  assert.equal(readlinkSync(link.path), link.target);
  assert.equal(await removeLink(link, true), true);
  assert.deepEqual(readdirSync(folder.path), ["real"]);
  await new Promise((resolve) => server.close(resolve));
});

test("checkedLink() wants short absolute paths and a target in the user's own folder", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "public");
  const target = join(folder.path, "real");
  mkdirSync(join(folder.path, "sub"));
  assert.deepEqual(await checkedLink(path, target, uid, uid === 0), { path, target });
  await assert.rejects(checkedLink(path, target, uid + 1, uid === 0), { code: "denied" });
  await assert.rejects(checkedLink(path, "/nowhere/at/all", uid, uid === 0), { code: "denied" });
  for (const bad of ["relative", "/a b", "/a\nb", `/${"x".repeat(107)}`]) {
    await assert.rejects(checkedLink(path, bad, uid, uid === 0), { code: "usage" });
    await assert.rejects(checkedLink(bad, target, uid, uid === 0), { code: "usage" });
  }
});
