import assert from "node:assert/strict";
import { closeSync, readdirSync, readFileSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { openLogFile } from "./log-file.ts";

test("openLogFile() makes folder and log for the user alone and keeps one log before", () => {
  using folder = temporaryFolder();
  const stateDir = join(folder.path, "deep", "state");
  for (const round of ["first", "second", "third"]) {
    const { path, descriptor } = openLogFile(stateDir);
    writeSync(descriptor, round);
    closeSync(descriptor);
    assert.equal(path, join(stateDir, "localizer.log"));
    assert.equal(statSync(path).mode & 0o777, 0o600);
  }
  assert.equal(statSync(stateDir).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(stateDir), ["localizer.log", "localizer.log.1"]);
  assert.equal(readFileSync(join(stateDir, "localizer.log.1"), "utf8"), "second");
});

test("openLogFile() says where it cannot write", () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "file"), "");
  assert.throws(() => openLogFile(join(folder.path, "file", "state")), {
    code: "unavailable",
    message: /^Cannot open the log ".*file\/state\/localizer\.log": /,
  });
});
