import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { leaveStale } from "../../test/support/stale-socket.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { listenUnixSocket } from "./listen-unix-socket.ts";
import { probeUnixSocket } from "./unix-socket.ts";

const contender = join(import.meta.dirname, "../../test/support/socket-contender.ts");

/** A process that waits for its start, and is killed at the end whatever happened. */
function contend(path: string) {
  const child = spawn(process.execPath, [contender, path], { stdio: ["pipe", "pipe", "inherit"] });
  const said = () => once(child.stdout, "data").then(([text]) => String(text).trim());
  return {
    said,
    go: () => child.stdin.write("go"),
    async [Symbol.asyncDispose]() {
      const closed = once(child, "close");
      child.kill("SIGKILL");
      await closed;
    },
  };
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, "close");
}

describe("listenUnixSocket()", () => {
  it("lets exactly one of several processes have a stale socket, every time", { timeout: 60_000 }, async () => {
    for (let round = 0; round < 3; round++) {
      using dir = temporaryFolder();
      const path = join(dir.path, "s");
      await leaveStale(path);
      await using stack = new AsyncDisposableStack();
      const rivals = Array.from({ length: 4 }, () => stack.use(contend(path)));
      await Promise.all(rivals.map((rival) => rival.said()));
      const outcomes = rivals.map((rival) => rival.said());
      for (const rival of rivals) rival.go();
      assert.deepEqual((await Promise.all(outcomes)).toSorted(), ["conflict", "conflict", "conflict", "won"]);
      assert.equal(await probeUnixSocket(path), "live");
      assert.deepEqual(readdirSync(dir.path), ["s"]);
    }
  });

  it("lets exactly one of many that want it at once have a stale socket", async () => {
    using dir = temporaryFolder();
    const path = join(dir.path, "s");
    await leaveStale(path);
    const servers = Array.from({ length: 12 }, () => createServer());
    const settled = await Promise.allSettled(servers.map((server) => listenUnixSocket(server, path)));
    const listening = servers.filter((server) => server.listening);
    const refused = settled.flatMap((each) => (each.status === "rejected" ? [each.reason.code] : []));
    await Promise.all(listening.map(close));
    assert.equal(listening.length, 1);
    assert.deepEqual(refused, Array(11).fill("conflict"));
    assert.deepEqual(readdirSync(dir.path), []);
  });

  it("makes the folder for its owner only, and removes the socket when the server is closed", async () => {
    using dir = temporaryFolder();
    const path = join(dir.path, "run", "s");
    const server = createServer();
    await listenUnixSocket(server, path);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(statSync(join(dir.path, "run")).mode & 0o777, 0o700);
    await assert.rejects(listenUnixSocket(createServer(), path), { code: "conflict", message: /somebody answers/ });
    await close(server);
    assert.deepEqual(readdirSync(join(dir.path, "run")), []);
  });

  it("leaves a file alone that is no socket, and a folder in which others may write", async () => {
    using dir = temporaryFolder();
    const path = join(dir.path, "f");
    writeFileSync(path, "");
    await assert.rejects(listenUnixSocket(createServer(), path), { code: "conflict", message: /is no socket/ });
    mkdirSync(join(dir.path, "open"));
    chmodSync(join(dir.path, "open"), 0o777);
    await assert.rejects(listenUnixSocket(createServer(), join(dir.path, "open", "s")), { code: "denied" });
    assert.deepEqual(readdirSync(dir.path).toSorted(), ["f", "open"]);
  });
});
