import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { clusterLayout } from "./layout.ts";
import { lockCluster } from "./lock.ts";

// A slot that no cluster uses.
const layout = clusterLayout({ slot: 63 });
const quiet = () => {};

test("lockCluster() waits until the holder disposes", async () => {
  const order: string[] = [];
  const first = await lockCluster(layout, { log: quiet });
  const second = lockCluster(layout, { log: (line) => order.push(line) }).then((lock) => {
    order.push("second");
    return lock[Symbol.asyncDispose]();
  });
  while (order.length === 0) await new Promise(setImmediate);
  order.push("first ends");
  await first[Symbol.asyncDispose]();
  await second;
  assert.deepEqual(order, [
    "Waiting for another program that starts or stops the test cluster",
    "first ends",
    "second",
  ]);
});

test("lockCluster() gets the lock of a program that was killed", async () => {
  const code = `const { lockCluster } = await import(${JSON.stringify(join(import.meta.dirname, "lock.ts"))});
    await lockCluster(${JSON.stringify(layout)}, { log() {} });
    process.stdout.write("locked");`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await once(holder.stdout, "data");
  const waiting = lockCluster(layout, { log: () => holder.kill("SIGKILL") });
  await (await waiting)[Symbol.asyncDispose]();
});

test("lockCluster() gives up when its signal is aborted", async () => {
  await using _lock = await lockCluster(layout, { log: quiet });
  const abort = new AbortController();
  const waiting = lockCluster(layout, { log: () => abort.abort(new Error("enough")), signal: abort.signal });
  await assert.rejects(waiting, /enough/);
});
