import assert from "node:assert/strict";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { folderPrivacy } from "./private-folder.ts";

const uid = process.geteuid?.() ?? 0;

describe("folderPrivacy()", () => {
  it("calls a folder private that only the user can enter", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "own");
    mkdirSync(path, { mode: 0o700 });
    assert.equal(folderPrivacy(path, uid), "private");
  });

  it("calls it open when it is another user's, or anybody else may do anything in it", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "own");
    mkdirSync(path, { mode: 0o700 });
    assert.equal(folderPrivacy(path, uid + 1), "open");
    for (const mode of [0o701, 0o710, 0o750, 0o755, 0o1777]) {
      chmodSync(path, mode);
      assert.equal(folderPrivacy(path, uid), "open", mode.toString(8));
    }
  });

  it("follows no link, takes no file for a folder, and says when nothing is there", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "own");
    const link = join(folder.path, "link");
    const file = join(folder.path, "file");
    mkdirSync(path, { mode: 0o700 });
    symlinkSync(path, link);
    writeFileSync(file, "", { mode: 0o600 });
    assert.equal(folderPrivacy(link, uid), "open");
    assert.equal(folderPrivacy(file, uid), "open");
    assert.equal(folderPrivacy(join(file, "below"), uid), "open");
    assert.equal(folderPrivacy(join(folder.path, "none"), uid), "absent");
  });
});
