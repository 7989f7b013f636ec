import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { type HelperRecord, HelperState } from "./state.ts";

const record: HelperRecord = {
  owner: { pid: 71, startTime: "1", bootId: "b" },
  hostsFile: "/etc/hosts",
  link: { path: "/run/a", target: "/run/b" },
};

test("HelperState.backUp() keeps the bytes from before the first change, for each file", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "state");
  const state = await HelperState.open(path, false);
  await state.backUp("/etc/hosts", Buffer.from("first"));
  await state.backUp("/etc/hosts", Buffer.from("second"));
  await state.backUp("/other/hosts", Buffer.from("other"));
  const texts = readdirSync(path).map((name) => readFileSync(join(path, name), "utf8"));
  assert.deepEqual(texts.toSorted(), ["first", "other"]);
});

test("HelperState.records() gives back what was recorded and not forgotten", async () => {
  using folder = temporaryFolder();
  const state = await HelperState.open(folder.path, false);
  const { link: _, ...second } = { ...record, owner: { ...record.owner, pid: 72 } };
  await state.record(record);
  await state.record(second);
  assert.deepEqual(await state.records(), [record, second]);
  await state.forget(71);
  await state.forget(99);
  assert.deepEqual(await state.records(), [second]);
});

test("HelperState.records() understands a newer helper's record, and deletes none that it does not", async () => {
  using folder = temporaryFolder();
  const state = await HelperState.open(folder.path, false);
  const put = (name: string, text: string) => writeFileSync(join(folder.path, name), text);
  put("helper-1.json", "{ half");
  put("helper-2.json", JSON.stringify({ ...record, owner: { ...record.owner, more: 1 }, more: 1 }));
  put("helper-3.json", JSON.stringify({ owner: record.owner }));
  for (const _ of [1, 2]) assert.deepEqual(await state.records(), [record]);
  assert.deepEqual(readdirSync(folder.path), ["helper-1.json.unreadable", "helper-2.json", "helper-3.json"]);
});

test("HelperState.open() throws denied where it cannot be", async () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "file"), "");
  await assert.rejects(HelperState.open(join(folder.path, "file"), false), { code: "denied" });
  await assert.rejects(HelperState.open(join(folder.path, "none", "state"), false), { code: "denied" });
});
