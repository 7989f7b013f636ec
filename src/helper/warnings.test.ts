import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { droppedVariables, writableByOthers } from "./warnings.ts";

test("droppedVariables() names those that matter and are missing", () => {
  const before = ["KUBECONFIG", "EDITOR", "AWS_PROFILE", "https_proxy", "SSH_AUTH_SOCK"];
  assert.deepEqual(droppedVariables(before, { https_proxy: "x" }), ["AWS_PROFILE", "KUBECONFIG", "SSH_AUTH_SOCK"]);
});

test("writableByOthers() names files, and folders above them, that group or world can write", () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "file");
  writeFileSync(file, "", { mode: 0o644 });
  // The folder of temporary folders is sticky, which keeps others' files as they are.
  assert.deepEqual(writableByOthers([file]), []);
  chmodSync(file, 0o664);
  chmodSync(folder.path, 0o777);
  assert.deepEqual(writableByOthers([file]), [file, folder.path]);
});
