import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { cart, openFakeDaemon, someCluster, temporaryFolder } from "../../test/rpc/fake-daemon.ts";
import { silentLogger } from "../log.ts";
import { openGrpcServer } from "../server/grpc-server.ts";
import { connectDaemon } from "./client.ts";

describe("connectDaemon()", () => {
  it("lists what the daemon has", async () => {
    const notices = ["The API server cannot be reached"];
    await using daemon = await openFakeDaemon({ list: () => [cart], notices: () => notices });
    await using client = connectDaemon({ socketPath: daemon.socketPath });
    assert.deepEqual(await client.list(), {
      cluster: someCluster.cluster(),
      notices,
      services: [cart],
      leftOut: [],
      selector: "",
      exposures: [],
    });
    assert.deepEqual(await client.ping(), someCluster.cluster());
    assert.equal(await client.stable(), true);
  });

  it("says no-daemon, the socket and what to do, when nobody answers", async () => {
    using folder = temporaryFolder();
    const dead = join(folder.path, "dead");
    writeFileSync(dead, "");
    for (const socketPath of [join(folder.path, "absent"), dead]) {
      await using client = connectDaemon({ socketPath });
      await assert.rejects(client.ping(), {
        code: "no-daemon",
        message: `No daemon answers on "${socketPath}"; start it with \`localizer\``,
      });
    }
  });

  it("says unavailable when the daemon dies during a call", async () => {
    using folder = temporaryFolder();
    const socketPath = join(folder.path, "s");
    const server = createServer((socket) => {
      socket.on("error", () => {});
      // Past the client's preface and SETTINGS, as a killed daemon would.
      socket.once("data", () => socket.destroy());
    });
    server.listen(socketPath);
    await once(server, "listening");
    await using client = connectDaemon({ socketPath });
    await assert.rejects(client.ping(), { code: "unavailable", message: /went away during the call/ });
    server.close();
  });

  it("says timeout after the deadline, and aborted when the caller's signal fires", async () => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, "run"));
    const socketPath = join(folder.path, "run", "s");
    const sockets = new Set<{ destroy(): void }>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.resume();
    });
    server.listen(socketPath);
    await once(server, "listening");
    await using client = connectDaemon({ socketPath });
    await assert.rejects(client.ping({ timeoutMs: 20 }), { code: "timeout" });
    const controller = new AbortController();
    const pinging = assert.rejects(client.ping({ signal: controller.signal }), { code: "aborted" });
    controller.abort(new Error("any reason"));
    await pinging;
    await assert.rejects(client.ping({ signal: controller.signal }), { code: "aborted" });
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it("connects again after the daemon was replaced", async () => {
    using folder = temporaryFolder();
    const socketPath = join(folder.path, "s");
    await using client = connectDaemon({ socketPath });
    for (const stable of [false, true]) {
      const state = { ...someCluster, list: () => [], isStable: () => stable, stop: async () => {} };
      await using _server = await openGrpcServer({ socketPath, state, log: silentLogger() });
      assert.equal(await client.stable(), stable);
    }
    await assert.rejects(client.stable(), { code: "no-daemon" });
  });

  it("ends a waiting call with aborted when it is disposed", async () => {
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    await using daemon = await openFakeDaemon({
      stop() {
        started.resolve();
        return release.promise;
      },
    });
    const client = connectDaemon({ socketPath: daemon.socketPath });
    const killing = assert.rejects(client.kill(), { code: "aborted" });
    await started.promise;
    await client[Symbol.asyncDispose]();
    await killing;
    await assert.rejects(client.ping(), { code: "aborted" });
    release.resolve();
  });
});
