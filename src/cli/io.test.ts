import assert from "node:assert/strict";
import { fork } from "node:child_process";
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
  // `fork` wants a script; with -e among the options of node it is never reached.
  const child = fork("", [], { execArgv: args, stdio: ["ignore", "pipe", "pipe", "ipc"] });
  return child;
}

describe("processIo()", () => {
  for (const request of ["SIGINT", "SIGTERM", "SIGHUP", "parent"] as const) {
    it(`hears ${request}, and lets the process end when nobody listens any more`, async () => {
      const child = start();
      assert(child.stdout && child.stderr);
      await once(child.stderr, "data");
      const said = once(child.stdout, "data");
      child.send({ other: true });
      if (request === "parent") child.send({ stop: true });
      else child.kill(request);
      assert.equal(String(await said), request);
      assert.deepEqual(await once(child, "exit"), [0, null]);
    });
  }
});
