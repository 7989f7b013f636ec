// Decision 10: no first connect is lost while a listener goes from the helper's process to the user's.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { channelToChild } from "../../src/helper/channel.ts";
import { connectHelper } from "../../src/helper/connect-helper.ts";
import type { Helper } from "../../src/helper/helper-role.ts";
import { addressAt, parseLoopbackRange } from "../../src/model/loopback.ts";
import { port } from "../../src/model/port.ts";
import type { Listener } from "../../src/net/listen.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const range = parseLoopbackRange("127.0.0.0/8");
const firstIndex = 80 * 65_536 + 1;
const count = 2_000;
const at = port(18_100);

test(`Helper.listen loses none of ${count} first connects made while listeners are handed over`, async (t) => {
  using folder = temporaryFolder();
  await using helper = await startHelper(folder.path);
  const connects = startConnects();
  await connects.ready;
  const listeners: Listener[] = [];
  const start = performance.now();
  for (let index = 0; index < count; index++) {
    const address = addressAt(range, firstIndex + index);
    listeners.push(await helper.listen({ address, port: at }, (socket) => socket.end(address)));
  }
  const eachMs = (performance.now() - start) / count;
  const outcome = await connects.outcome;
  await Promise.all(listeners.map((listener) => listener[Symbol.asyncDispose]()));
  t.diagnostic(`${eachMs.toFixed(2)} ms a listener, with connects under way`);
  assert.deepEqual(outcome, { served: count, failures: [] });
});

test("Helper.listen gives sockets that are paused and half-open, and a port that is free once disposed", async () => {
  using folder = temporaryFolder();
  await using helper = await startHelper(folder.path);
  const where = { address: addressAt(range, firstIndex + count), port: at };
  for (let round = 0; round < 3; round++) {
    await using _listener = await helper.listen(where, (socket) => {
      assert.ok(socket.isPaused());
      assert.ok(socket.allowHalfOpen);
      socket.end("x");
    });
    await assert.rejects(
      helper.listen(where, () => {}),
      { code: "conflict" },
    );
  }
});

test("Helper.gone fires when the helper is killed", async () => {
  using folder = temporaryFolder();
  await using helper = await startHelper(folder.path);
  const gone = once(helper.gone, "abort");
  process.kill(helper.identity.pid, "SIGKILL");
  await gone;
  await assert.rejects(helper.writeHosts([]), { code: "unavailable" });
});

test("Helper dispose lets the helper's process end well, and signals before that do not", async () => {
  using folder = temporaryFolder();
  const helper = await startHelper(folder.path);
  for (const signal of ["SIGINT", "SIGHUP", "SIGTERM", "SIGQUIT"]) process.kill(helper.identity.pid, signal);
  await helper.writeHosts([]);
  await helper[Symbol.asyncDispose]();
  assert.equal(helper.gone.aborted, false);
  assert.throws(() => process.kill(helper.identity.pid, 0), { code: "ESRCH" });
});

/** The helper's program as an unprivileged child, with the channel on descriptor 0 as under sudo. */
async function startHelper(folder: string): Promise<Helper> {
  const hosts = join(folder, "hosts");
  writeFileSync(hosts, "127.0.0.1 localhost\n");
  const program = join(import.meta.dirname, "../../src/helper/main.ts");
  const places = [
    `--hosts-file=${hosts}`,
    `--socket-link=${join(folder, "s")}`,
    `--state-dir=${join(folder, "state")}`,
  ];
  const child = spawn(process.execPath, [program, ...places], { stdio: ["ipc", "inherit", "inherit"] });
  const exit = once(child, "exit");
  return await connectHelper(channelToChild(child), { settled: async () => void (await exit) });
}

function startConnects(): { ready: Promise<void>; outcome: Promise<unknown> } {
  const program = join(import.meta.dirname, "first-connects.ts");
  const args = [program, firstIndex, count, at].map(String);
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ready = Promise.withResolvers<void>();
  const outcome = Promise.withResolvers<unknown>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line === "ready") ready.resolve();
    else outcome.resolve(JSON.parse(line));
  });
  return { ready: ready.promise, outcome: outcome.promise };
}
