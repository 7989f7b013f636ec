import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { processIdentity } from "../../src/helper/process-identity.ts";
import { endStuckFiles } from "./end-stuck-files.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Runs the files as run.ts does, each given as its name and what its only test does. */
async function run(bodies: Readonly<Record<string, string>>) {
  using folder = temporaryFolder();
  const files = Object.entries(bodies).map(([name, body]) => {
    const file = join(folder.path, `${name}.test.mjs`);
    writeFileSync(file, `import { test } from "node:test"; import { spawn } from "node:child_process"; ${body}`);
    return file;
  });
  const flags = ["--test", "--test-reporter=spec", "--test-concurrency=1", "--test-timeout=60000"];
  // A runner inside a runner's file would run nothing.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, [...flags, ...files], { env, stdio: ["ignore", "pipe", "inherit"] });
  const said: string[] = [];
  const log = (line: string) => said.push(line.replaceAll(`${folder.path}/`, ""));
  assert.ok(child.pid !== undefined);
  using _watch = endStuckFiles(child.pid, { fileTimeoutMs: 1_500, pollMs: 100, log });
  const out = await text(child.stdout);
  return { said, out: out.replaceAll(`${folder.path}/`, "") };
}

const sleep = (stdio: string) => `spawn("sleep", ["100"], { stdio: ${stdio} })`;

describe("endStuckFiles()", () => {
  it("kills a file with what it started, and lets the runner go on with the next one", async () => {
    const { said, out } = await run({
      a: `test("stuck", () => { console.log("pid", ${sleep('["ignore", "pipe", "inherit"]')}.pid); });`,
      b: `test("fine", () => {});`,
    });
    assert.deepEqual(said, ["a.test.mjs did not end within 1.5 s"]);
    assert.match(out, /✖ a\.test\.mjs/);
    assert.match(out, /✔ fine/);
    const [, pid] = /pid (\d+)/.exec(out) ?? [];
    assert.ok(pid !== undefined);
    // A killed process takes a moment to go.
    while ((await processIdentity(Number(pid))) !== undefined) await new Promise(setImmediate);
  });

  it("kills a file that is blocked", async () => {
    const { said } = await run({ a: `test("blocked", () => { for (;;); });` });
    assert.deepEqual(said, ["a.test.mjs did not end within 1.5 s"]);
  });

  it("ends a runner that waits for the output of a file that has ended, and leaves one alone that ends in time", async () => {
    const { said, out } = await run({
      a: `test("fine", () => {});`,
      b: `test("leaves", () => {
        console.log("pid", ${sleep('["ignore", "inherit", "ignore"], detached: true')}.pid);
        process.exitCode = 0; setImmediate(() => process.exit());
      });`,
    });
    const [, pid] = /pid (\d+)/.exec(out) ?? [];
    if (pid !== undefined) process.kill(Number(pid), "SIGKILL");
    assert.deepEqual(said, ["a file left a process behind that keeps its output open for 1.5 s"]);
    assert.match(out, /✔ fine/);
    assert.match(out, /b\.test\.mjs/);
  });
});
