import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import {
  ensurePrivateDirectory,
  makeRuntimeDirectory,
  removeRuntimeDirectory,
  sessionRuntimeDirectory,
} from "./runtime-directory.ts";

const self = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

test("sessionRuntimeDirectory() makes a private folder in the session's, or says that there is none", async () => {
  using folder = temporaryFolder();
  const path = await sessionRuntimeDirectory({ XDG_RUNTIME_DIR: folder.path });
  assert.equal(path, join(folder.path, "localizer"));
  assert.equal(statSync(join(folder.path, "localizer")).mode & 0o777, 0o700);
  for (const env of [{}, { XDG_RUNTIME_DIR: "rel" }, { XDG_RUNTIME_DIR: join(folder.path, "none") }]) {
    assert.equal(await sessionRuntimeDirectory(env), undefined);
  }
});

test("makeRuntimeDirectory() makes a folder for the user, and finds it the next time", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, `localizer-${self.uid}`);
  assert.equal(await makeRuntimeDirectory(folder.path, self), path);
  assert.equal(await makeRuntimeDirectory(folder.path, self), path);
  assert.equal(statSync(path).mode & 0o777, 0o700);
});

test("removeRuntimeDirectory() leaves a socket on which somebody answers, unless told that it is ours", async () => {
  using folder = temporaryFolder();
  const path = await makeRuntimeDirectory(folder.path, self);
  const socket = join(path, "s.sock");
  const server = createServer().listen(socket);
  await new Promise((resolve) => server.once("listening", resolve));
  await removeRuntimeDirectory(path, socket);
  assert.ok(existsSync(socket));
  await removeRuntimeDirectory(path, socket, true);
  assert.equal(existsSync(path), false);
  await new Promise((resolve) => server.close(resolve));
});

test("ensurePrivateDirectory() and makeRuntimeDirectory() refuse a folder that is open, or a link", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, `localizer-${self.uid}`);
  mkdirSync(path);
  chmodSync(path, 0o750);
  await assert.rejects(ensurePrivateDirectory(path), { code: "denied" });
  await assert.rejects(makeRuntimeDirectory(folder.path, self), { code: "denied" });
  symlinkSync(path, join(folder.path, "link"));
  await assert.rejects(ensurePrivateDirectory(join(folder.path, "link")), { code: "denied" });
});
