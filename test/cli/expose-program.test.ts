/** `localizer expose … -- program` as a process of its own: what the program prints, its code, and the signals that it gets. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import type { StopExposeWish } from "../../src/rpc/exposing.ts";
import { openFakeDaemon } from "../rpc/fake-daemon.ts";
import { endLines, exposedCart, saying, startLines } from "../rpc/fake-exposure.ts";

const program = join(import.meta.dirname, "../../bin/localizer.ts");

/** A daemon in this process, and the command beside it. */
async function exposing(...words: readonly string[]) {
  const stops: StopExposeWish[] = [];
  const daemon = await openFakeDaemon({
    expose: () => saying(startLines),
    stopExpose(wish) {
      stops.push(wish);
      return saying(endLines);
    },
    exposures: () => [exposedCart],
  });
  // Settings of whoever runs the tests are none of the program's here.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("LOCALIZER_"));
  const child = spawn(process.execPath, [program, "expose", "shop/cart", ...words], {
    env: { ...Object.fromEntries(own), LOCALIZER_SOCKET: daemon.socketPath },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended: Promise<[number | null, NodeJS.Signals | null]> = once(child, "exit").then(([code, signal]) => [
    code,
    signal,
  ]);
  return {
    ...{ child, ended, stops },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await daemon[Symbol.asyncDispose]();
    },
  };
}

/** Resolves when that was printed. */
async function printed(stream: ChildProcess["stdout"], wanted: string): Promise<void> {
  let seen = "";
  for await (const chunk of stream?.setEncoding("utf8") ?? []) {
    seen += chunk;
    if (seen.includes(wanted)) return;
  }
  assert.fail(`never saw ${wanted} in ${seen}`);
}

describe("localizer expose -- program", () => {
  it("gives the program its streams and arguments, and exits as it does, after giving back", async () => {
    const script =
      "process.stdin.on('data', (line) => { console.log(process.argv[1], String(line)); process.exit(9); })";
    await using made = await exposing("--map", "8080:80", "--", process.execPath, "-e", script, "--", "--help");
    const { child } = made;
    child.stdin.end("from outside");
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), made.ended]);
    assert.equal(out, "--help from outside\n");
    assert.equal(code, 9);
    const [first, ...others] = err.trimEnd().split("\n");
    assert.equal(first, "Deployment cart will be scaled from 2 to 0");
    assert.equal(others.at(-1), 'Service "shop/cart" is as it was');
    assert.equal(made.stops.length, 1);
  });

  it("passes signals on", async () => {
    const script = `
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => console.log(signal) || process.exit(5));
      setInterval(() => {}, 1000); console.log("ready");`;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      await using made = await exposing("--", process.execPath, "-e", script);
      await printed(made.child.stdout, "ready");
      made.child.kill(signal);
      assert.deepEqual(await made.ended, [5, null]);
      assert.equal(made.stops.length, 1);
    }
  });

  it("gives back with --foreground on a signal", async () => {
    await using made = await exposing("--foreground");
    await printed(made.child.stdout, "Ctrl-C gives it back");
    made.child.kill("SIGINT");
    assert.deepEqual(await made.ended, [0, null]);
    assert.equal(made.stops.length, 1);
  });
});
