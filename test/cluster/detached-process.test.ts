import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { identify, isAlive, readPidFile, startDetached, stopProcesses } from "./detached-process.ts";
import { waitFor } from "./wait.ts";

const directory = mkdtempSync(join(tmpdir(), "localizer-process-"));
after(() => rmSync(directory, { recursive: true, force: true }));

function options(name: string) {
  const [logFile, pidFile] = [join(directory, `${name}.log`), join(directory, `${name}.pid`)];
  return { logFile, pidFile, env: process.env, cwd: directory };
}

test("startDetached() writes a pid file that leads to the process, and its output to the log", async () => {
  const started = options("talks");
  const identity = await startDetached(["sh", "-c", "echo hello; exec sleep 60"], started);
  assert.deepEqual(readPidFile(started.pidFile), identity);
  await waitFor("the output", () => readFileSync(started.logFile, "utf8") === "hello\n", { timeoutMs: 5000 });
  await stopProcesses([identity], 2000);
  assert.equal(isAlive(identity), false);
  assert.equal(readPidFile(started.pidFile), undefined);
});

test("readPidFile() does not take another process with the same pid for the one meant", async () => {
  const { pidFile } = options("reused");
  const own = identify(process.pid);
  assert.ok(own);
  writeFileSync(pidFile, JSON.stringify({ ...own, startTime: "1" }));
  assert.equal(readPidFile(pidFile), undefined);
  await stopProcesses([{ ...own, startTime: "1" }], 0); // Would end this very test.
  writeFileSync(pidFile, "{");
  assert.equal(readPidFile(pidFile), undefined);
});

test("stopProcesses() kills what does not end when asked", async () => {
  const started = options("stubborn");
  const identity = await startDetached(["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"], started);
  await waitFor("the trap", () => readFileSync(started.logFile, "utf8") === "up\n", { timeoutMs: 5000 });
  await stopProcesses([identity], 100);
  assert.equal(isAlive(identity), false);
});

test("startDetached() says so when there is no such command", async () => {
  await assert.rejects(startDetached(["no-such-command"], options("missing")), /ENOENT/);
});
