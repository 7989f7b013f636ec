import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FileWrites } from "./file-writes.ts";

test("FileWrites counts a write in place and one by rename, and no look at what is as it was", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "bench-file-writes-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "hosts");
  writeFileSync(path, "a");
  using writes = new FileWrites(path);
  writes.look();
  assert.equal(writes.count, 0);
  writeFileSync(path, "b");
  utimesSync(path, 1, 1); // Two writes within one tick of the file system's clock would look the same.
  writes.look();
  assert.equal(writes.count, 1);
  writeFileSync(`${path}.new`, "b");
  renameSync(`${path}.new`, path);
  writes.look();
  writes.look();
  assert.equal(writes.count, 2);
});
