import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { describe, it, test } from "node:test";
import { hasTerminal } from "./io.ts";

/** Prints who asked to stop, and ends after the first. */
const program = `
  const { processIo } = await import(process.argv[1]);
  const io = processIo();
  const alive = setInterval(() => {}, 1000);
  const listening = io.onStop((request) => {
    io.stdout(request);
    listening[Symbol.dispose]();
    clearInterval(alive);
  });
  io.stderr("up");
`;

function start() {
  const args = ["--input-type=module", "-e", program, join(import.meta.dirname, "io.ts")];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
}

describe("processIo()", () => {
  for (const request of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it(`hears ${request}, and lets the process end when nobody listens any more`, async () => {
      const child = start();
      await once(child.stderr, "data");
      const said = once(child.stdout, "data");
      child.kill(request);
      assert.equal(String(await said), request);
      assert.deepEqual(await once(child, "exit"), [0, null]);
    });
  }

  const words = `
    const { processIo } = await import(process.argv[1]);
    processIo().stdout("words");
    process.exitCode = 0;
  `;
  const args = ["--input-type=module", "-e", words, join(import.meta.dirname, "io.ts")];

  it("says so and exits with 1 when what was asked for cannot be printed", { skip: !existsSync("/dev/full") }, () => {
    const full = openSync("/dev/full", "w");
    const { status, stderr } = spawnSync(process.execPath, args, { stdio: ["ignore", full, "pipe"], encoding: "utf8" });
    closeSync(full);
    assert.deepEqual([status, stderr], [1, "localizer: Cannot print the output: no space left on device\n"]);
  });

  it("takes a reader that has gone for no error", async () => {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.destroy();
    assert.deepEqual(await once(child, "exit"), [0, null]);
  });
});

test("hasTerminal() finds one behind any of the streams, as when the input is piped", () => {
  const [terminal, pipe] = [{ isTTY: true }, {}];
  for (const streams of [
    { stdin: terminal, stdout: pipe, stderr: pipe },
    { stdin: pipe, stdout: terminal, stderr: pipe },
    { stdin: pipe, stdout: pipe, stderr: terminal },
  ]) {
    assert.equal(hasTerminal(streams), true);
  }
  assert.equal(hasTerminal({ stdin: pipe, stdout: pipe, stderr: { isTTY: false } }), false);
});
