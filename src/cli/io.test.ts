import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, it } from "node:test";

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
});
