import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { exampleOwner, exampleRecord, sessions } from "../../test/support/expose-lab.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { codeOf } from "../errors.ts";
import { at } from "../kube/json.ts";
import { Journal } from "./journal.ts";

const server = "https://10.0.0.1:6443";
const nobody = (path: string) => assert.fail(`nothing of ${path} should be unreadable`);

/** A journal in a folder that does not exist yet, of a process whose number tells whether it runs. */
function journalIn(folder: string, pid = 1, running: readonly number[] = []) {
  const path = join(folder, "state", "exposures");
  const isRunning = async (writer: unknown) => running.some((one) => one === at(writer, "pid"));
  return { path, journal: new Journal(path, { self: { pid }, isRunning }) };
}

test("Journal gives the sessions of dead writers, whole", async () => {
  using folder = temporaryFolder();
  const { journal } = journalIn(folder.path);
  const record = exampleRecord({ owners: [exampleOwner()], phase: "starting" });
  await journal.write(server, record);
  assert.deepEqual(await journal.dead(server, nobody), [{ record, server, writer: { pid: 1 }, isElsewhere: false }]);
});

test("Journal keeps the last of what was written of a session, and one file for each", async () => {
  using folder = temporaryFolder();
  const { journal, path } = journalIn(folder.path);
  await journal.write(server, exampleRecord({ phase: "starting" }));
  await journal.write(server, exampleRecord({ session: sessions.bob }));
  await journal.write(server, exampleRecord({ phase: "exposed" }));
  assert.deepEqual(readdirSync(path).sort(), [`${sessions.alice}.json`, `${sessions.bob}.json`]);
  const found = await journal.dead(server, nobody);
  assert.deepEqual(
    found.map(({ record }) => record),
    [exampleRecord(), exampleRecord({ session: sessions.bob })],
  );
});

test("Journal keeps folder and files to their owner", async () => {
  using folder = temporaryFolder();
  const { journal, path } = journalIn(folder.path);
  await journal.write(server, exampleRecord());
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.equal(statSync(join(path, `${sessions.alice}.json`)).mode & 0o777, 0o600);
});

test("Journal.dead() leaves alone what a living process has written", async () => {
  using folder = temporaryFolder();
  await journalIn(folder.path, 1).journal.write(server, exampleRecord());
  await journalIn(folder.path, 2).journal.write(server, exampleRecord({ session: sessions.bob }));
  const { journal } = journalIn(folder.path, 3, [2]);
  const found = await journal.dead(server, nobody);
  assert.deepEqual(
    found.map(({ record }) => record.session),
    [sessions.alice],
  );
});

test("Journal.dead() says which sessions another machine has written, whatever their pids are here", async () => {
  using folder = temporaryFolder();
  await journalIn(folder.path, 2).journal.write(server, exampleRecord());
  const path = join(folder.path, "state", "exposures");
  const isElsewhere = async (writer: unknown) => at(writer, "pid") === 2;
  const journal = new Journal(path, { self: { pid: 1 }, isRunning: async () => true, isElsewhere });
  await journal.write(server, exampleRecord({ session: sessions.bob }));
  const found = await journal.dead(server, nobody);
  assert.deepEqual(
    found.map((entry) => [entry.record.session, entry.isElsewhere]),
    [[sessions.alice, true]],
  );
});

test("Journal.dead() leaves alone what belongs to another server", async () => {
  using folder = temporaryFolder();
  const { journal } = journalIn(folder.path);
  await journal.write("https://10.9.9.9:6443", exampleRecord());
  assert.deepEqual(await journal.dead(server, nobody), []);
  assert.equal((await journal.dead("https://10.9.9.9:6443", nobody)).length, 1);
});

test("Journal.dead() tells of files that it cannot read, and leaves them where they are", async () => {
  using folder = temporaryFolder();
  const { journal, path } = journalIn(folder.path);
  await journal.write(server, exampleRecord());
  const whole = readFileSync(join(path, `${sessions.alice}.json`), "utf8");
  const bad = {
    "cut.json": whole.slice(0, 80),
    "empty.json": "",
    "no-record.json": JSON.stringify({ server, writer: {} }),
    "no-server.json": JSON.stringify({ ...JSON.parse(whole), server: undefined }),
  };
  for (const [name, text] of Object.entries(bad)) writeFileSync(join(path, name), text);
  const told: string[] = [];
  const found = await journal.dead(server, (file, why) => {
    assert(why instanceof Error);
    told.push(file);
  });
  assert.deepEqual(
    told,
    Object.keys(bad).map((name) => join(path, name)),
  );
  assert.equal(found.length, 1);
  assert.equal(readdirSync(path).length, 5);
});

test("Journal.dead() does not look at drafts, which a power cut may leave", async () => {
  using folder = temporaryFolder();
  const { journal, path } = journalIn(folder.path);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, `${sessions.alice}.json.6e0e.new`), '{"server":');
  assert.deepEqual(await journal.dead(server, nobody), []);
});

test("Journal has no sessions before its folder exists, and removes none from it", async () => {
  using folder = temporaryFolder();
  const { journal } = journalIn(folder.path);
  assert.deepEqual(await journal.dead(server, nobody), []);
  await journal.remove(sessions.alice);
});

test("Journal.remove() forgets one session, once or twice", async () => {
  using folder = temporaryFolder();
  const { journal, path } = journalIn(folder.path);
  await journal.write(server, exampleRecord());
  await journal.write(server, exampleRecord({ session: sessions.bob }));
  await journal.remove(sessions.alice);
  await journal.remove(sessions.alice);
  assert.deepEqual(readdirSync(path), [`${sessions.bob}.json`]);
});

test("Journal names no file after what is no session", async () => {
  using folder = temporaryFolder();
  const { journal } = journalIn(folder.path);
  const isInternal = (error: unknown) => codeOf(error) === "internal";
  await assert.rejects(journal.write(server, exampleRecord({ session: "../../x" })), isInternal);
  await assert.rejects(journal.remove("../../x"), isInternal);
});

test("Journal says where it cannot write, and leaves what was there", async () => {
  using folder = temporaryFolder();
  const { journal, path } = journalIn(folder.path);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, "not a folder");
  await assert.rejects(journal.write(server, exampleRecord()), (error: Error) => {
    assert.equal(codeOf(error), "unavailable");
    assert(error.message.startsWith(`Cannot write the journal of exposures in "${path}": `), error.message);
    return true;
  });
  await assert.rejects(journal.dead(server, nobody), /^LocalizerError: Cannot read the journal of exposures in/);
  assert.equal(readFileSync(path, "utf8"), "not a folder");
});

test("Journal leaves no draft behind when it cannot take the file's place", async () => {
  using folder = temporaryFolder();
  const { journal, path } = journalIn(folder.path);
  mkdirSync(join(path, `${sessions.alice}.json`), { recursive: true });
  await assert.rejects(journal.write(server, exampleRecord()), (error) => codeOf(error) === "unavailable");
  assert.deepEqual(readdirSync(path), [`${sessions.alice}.json`]);
});

test("Journal.dead() removes drafts of writers that were killed, and none that may be being written", async () => {
  using folder = temporaryFolder();
  const { journal, path } = journalIn(folder.path);
  await journal.write(server, exampleRecord());
  const [old, young] = ["old", "young"].map((name) => `${sessions.bob}.json.${name}.new`);
  for (const name of [old, young]) writeFileSync(join(path, name ?? ""), "");
  const longAgo = new Date(Date.now() - 61_000);
  utimesSync(join(path, old ?? ""), longAgo, longAgo);
  assert.equal((await journal.dead(server, nobody)).length, 1);
  assert.deepEqual(readdirSync(path).sort(), [`${sessions.alice}.json`, young]);
});
