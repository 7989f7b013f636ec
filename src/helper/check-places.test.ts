import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { checkPlaces } from "./check-places.ts";

test("checkPlaces() refuses a socket that could not be made in the end, and says what to do", () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "file"), "");
  mkdirSync(join(folder.path, "folder"));
  const refusals: readonly (readonly [name: string, withHelper: boolean, why: RegExp])[] = [
    ["none/s.sock", true, /there is no folder ".*\/none"; make it, or name another path$/],
    ["file/s.sock", true, /"[^"]*\/file" is no folder|there is no folder/],
    ["file/s.sock", false, /is no folder; name another path$/],
    ["file", true, /another file stands there/],
    ["folder", false, /a folder stands there/],
    [`${"x".repeat(120)}.sock`, true, /it has \d+ bytes, and a socket's path at most 10[37]; name a shorter one$/],
    [`${"x".repeat(120)}.sock`, false, /name a shorter one$/],
    ["a b.sock", true, /without spaces/],
  ];
  for (const [name, withHelper, message] of refusals) {
    assert.throws(() => checkPlaces({ socket: join(folder.path, name), withHelper }), { code: "usage", message }, name);
  }
});

test("checkPlaces() lets pass what can be made: nothing yet, a link, folders of one's own without a helper", () => {
  using folder = temporaryFolder();
  symlinkSync("/nowhere", join(folder.path, "link"));
  checkPlaces({ socket: join(folder.path, "new"), withHelper: true });
  checkPlaces({ socket: join(folder.path, "link"), withHelper: true });
  checkPlaces({ socket: join(folder.path, "none/deep/s.sock"), withHelper: false });
  checkPlaces({ withHelper: true });
  assert.equal(existsSync(join(folder.path, "none")), false);
});

test("checkPlaces() refuses a folder that this user may not write in, without a helper", {
  skip: process.geteuid?.() === 0,
}, () => {
  using folder = temporaryFolder();
  chmodSync(folder.path, 0o500);
  const socket = join(folder.path, "s.sock");
  assert.throws(() => checkPlaces({ socket, withHelper: false }), { code: "usage", message: /may not write in/ });
});

test("checkPlaces() refuses a hosts file that is none, but asks for none without a helper", () => {
  using folder = temporaryFolder();
  for (const [hostsFile, message] of [
    [folder.path, /as hosts file: it is a folder; name an existing file$/],
    [join(folder.path, "none"), /as hosts file: there is no such file; name/],
  ] as const) {
    assert.throws(() => checkPlaces({ hostsFile, withHelper: true }), { code: "usage", message });
    checkPlaces({ hostsFile, withHelper: false });
  }
});
