import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { prepareChild } from "./run-child.ts";

const options = { env: { PATH: dirname(process.execPath) }, isTerminal: false };
const node = (program: string) => [process.execPath, "-e", program];

describe("prepareChild()", () => {
  it("runs a program of PATH or of a path, and gives its exit code", async () => {
    for (const name of ["node", process.execPath]) {
      const start = await prepareChild([name, "-e", "process.exit(process.argv.length)", "a", "b"], options);
      assert.equal(await (await start()).ended, 3);
    }
  });

  it("gives the program variables beside its own", async () => {
    const env = { ...options.env, A: "own", B: "own" };
    const program = "process.exit(process.env.A === 'own' && process.env.B === 'given' ? 0 : 1)";
    const start = await prepareChild(node(program), { ...options, env });
    assert.equal(await (await start({ B: "given" })).ended, 0);
  });

  it("gives 128 and the signal's number for a program that a signal ends", async () => {
    const start = await prepareChild(node("process.kill(process.pid, 'SIGKILL')"), options);
    assert.equal(await (await start()).ended, 137);
  });

  it("passes on what this process is told, but not what the terminal has told it", async () => {
    for (const [isTerminal, code] of [
      [false, 130],
      [true, 143],
    ] as const) {
      const start = await prepareChild(node("setInterval(() => {}, 1000)"), { ...options, isTerminal });
      const child = await start();
      child.passOn("SIGINT");
      if (isTerminal) child.passOn("SIGTERM");
      assert.equal(await child.ended, code);
      child.passOn("SIGTERM");
    }
  });

  it("says when there is no such program, or it may not be run", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "file");
    writeFileSync(file, "#!/bin/sh\n");
    mkdirSync(join(folder.path, "folder"));
    const prepare = (...words: readonly string[]) => prepareChild(words, { ...options, env: { PATH: folder.path } });
    await assert.rejects(prepare(), {
      code: "usage",
      message: 'Cannot run a program without its name: want one after "--"',
    });
    await assert.rejects(prepare("none"), {
      code: "not-found",
      message: 'Cannot run "none": there is no such program',
    });
    await assert.rejects(prepare("folder"), { code: "not-found" });
    await assert.rejects(prepare(join(folder.path, "none")), { code: "not-found" });
    await assert.rejects(prepare("file"), { code: "denied", message: 'Cannot run "file": it may not be executed' });
    chmodSync(file, 0o755);
    assert.equal(await (await (await prepare("file"))()).ended, 0);
  });
});
