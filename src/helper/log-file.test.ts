import assert from "node:assert/strict";
import { closeSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { defaultSocketLink } from "../model/socket-link.ts";
import { keepLog, logName, openLogDraft } from "./log-file.ts";

const name = "localizer.log";

test("openLogDraft() and keepLog() make folder and log for the user alone and keep one log before", () => {
  using folder = temporaryFolder();
  const stateDir = join(folder.path, "deep", "state");
  for (const round of ["first", "second", "third"]) {
    const log = openLogDraft(stateDir, name);
    writeSync(log.descriptor, round);
    closeSync(log.descriptor);
    keepLog(log);
    assert.equal(log.path, join(stateDir, name));
    assert.equal(statSync(log.path).mode & 0o777, 0o600);
  }
  assert.equal(statSync(stateDir).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(stateDir), [name, `${name}.1`]);
  assert.equal(readFileSync(join(stateDir, `${name}.1`), "utf8"), "second");
});

test("openLogDraft() leaves the log of the daemon that runs as it is", () => {
  using folder = temporaryFolder();
  for (const each of [name, `${name}.1`]) writeFileSync(join(folder.path, each), each);
  const { descriptor, draft } = openLogDraft(folder.path, name);
  writeSync(descriptor, "refused");
  closeSync(descriptor);
  for (const each of [name, `${name}.1`]) assert.equal(readFileSync(join(folder.path, each), "utf8"), each);
  assert.equal(readFileSync(draft, "utf8"), "refused");
});

test("openLogDraft() removes drafts that were forgotten, and no other's of today", () => {
  using folder = temporaryFolder();
  const [old, young] = [1, 2].map((pid) => join(folder.path, `${name}.starting-${pid}`));
  assert.ok(old !== undefined && young !== undefined);
  for (const path of [old, young]) writeFileSync(path, "");
  utimesSync(old, 1, 1);
  closeSync(openLogDraft(folder.path, name).descriptor);
  assert.deepEqual(
    readdirSync(folder.path).toSorted(),
    [`${name}.starting-2`, `${name}.starting-${process.pid}`].toSorted(),
  );
});

test("keepLog() takes nothing from the log when the draft is gone", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, name);
  writeFileSync(path, "running");
  keepLog({ path, draft: `${path}.starting-1` });
  assert.deepEqual(readdirSync(folder.path), [name]);
});

test("logName() gives each socket's daemon a log of its own", () => {
  assert.equal(logName(defaultSocketLink), name);
  assert.match(logName("/run/a.sock"), /^localizer-[0-9a-f]{12}\.log$/);
  assert.notEqual(logName("/run/a.sock"), logName("/run/b.sock"));
});

test("openLogDraft() says where it cannot write", () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "file"), "");
  assert.throws(() => openLogDraft(join(folder.path, "file", "state"), name), {
    code: "unavailable",
    message: /^Cannot open the log ".*file\/state\/localizer\.log": /,
  });
});
