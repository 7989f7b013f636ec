import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { cart, ledger, openFakeDaemon, someCluster, temporaryFolder } from "../../test/rpc/fake-daemon.ts";
import { saying } from "../../test/rpc/fake-exposure.ts";
import { type ErrorCode, LocalizerError } from "../errors.ts";
import { silentLogger } from "../log.ts";
import { connectDaemon } from "../rpc/client.ts";
import { LocalizerService } from "../rpc/gen/api/v1/localizer_pb.ts";
import { Health, HealthCheckResponse_ServingStatus } from "../rpc/gen/grpc/health/v1/health_pb.ts";
import { UnixSession } from "../rpc/unix-session.ts";
import { openGrpcServer } from "./grpc-server.ts";

const idle = { ...someCluster, list: () => [], isStable: () => false, stop: async () => {} };

function hasCode(code: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof LocalizerError && error.code === code;
}

/** A transport without our client's error mapping. */
function rawTransport(socketPath: string) {
  const session = new UnixSession(socketPath);
  const transport = createGrpcTransport({ baseUrl: session.authority, sessionManager: session });
  return { transport, [Symbol.dispose]: () => session[Symbol.dispose]() };
}

describe("openGrpcServer() socket", () => {
  it("has mode 0600 in a folder of mode 0700, and leaves the umask alone", async () => {
    const before = process.umask();
    await using daemon = await openFakeDaemon();
    assert.equal(process.umask(), before);
    assert.equal(lstatSync(daemon.socketPath).mode & 0o777, 0o600);
    assert.equal(lstatSync(dirname(daemon.socketPath)).mode & 0o777, 0o700);
  });

  it("is gone after dispose, which may be called twice", async () => {
    await using daemon = await openFakeDaemon();
    await daemon.server[Symbol.asyncDispose]();
    await daemon.server[Symbol.asyncDispose]();
    assert.equal(lstatSync(daemon.socketPath, { throwIfNoEntry: false }), undefined);
  });

  it("takes the place of one that a killed process left behind", async () => {
    using folder = temporaryFolder();
    const socketPath = join(folder.path, "s");
    const program = `require("node:net").createServer().listen(process.argv[1], () => console.log("up"))`;
    const child = spawn(process.execPath, ["-e", program, socketPath], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    await using _server = await openGrpcServer({ socketPath, state: idle, log: silentLogger() });
    await using client = connectDaemon({ socketPath });
    assert.equal(await client.stable(), false);
    assert.deepEqual(readdirSync(folder.path), ["s"]);
  });

  it("is refused with conflict while another daemon answers, which goes on", async () => {
    await using daemon = await openFakeDaemon();
    const { socketPath } = daemon;
    await assert.rejects(
      openGrpcServer({ socketPath, state: idle, log: silentLogger() }),
      (error) =>
        hasCode("conflict")(error) && /another localizer daemon answers on ".*localizer.sock"/.test(String(error)),
    );
    await using client = connectDaemon({ socketPath });
    await client.ping();
  });

  it("never replaces a file that is no socket", async () => {
    using folder = temporaryFolder();
    const socketPath = join(folder.path, "precious");
    writeFileSync(socketPath, "");
    await assert.rejects(openGrpcServer({ socketPath, state: idle, log: silentLogger() }), hasCode("conflict"));
  });

  it("is refused in a folder in which others may write", async () => {
    using folder = temporaryFolder();
    const open = join(folder.path, "open");
    const umask = process.umask(0);
    mkdirSync(open, { mode: 0o777 });
    process.umask(umask);
    const socketPath = join(open, "s");
    await assert.rejects(openGrpcServer({ socketPath, state: idle, log: silentLogger() }), hasCode("denied"));
  });
});

describe("openGrpcServer() calls", () => {
  it("stops first, then answers Kill, then says killed", async () => {
    const order: string[] = [];
    const release = Promise.withResolvers<void>();
    await using daemon = await openFakeDaemon({
      async stop() {
        order.push("stop");
        await release.promise;
        order.push("stopped");
      },
    });
    await using client = connectDaemon({ socketPath: daemon.socketPath });
    const ended = daemon.server.killed.then(async () => {
      order.push("killed");
      await daemon.server[Symbol.asyncDispose]();
      order.push("closed");
    });
    const killing = client.kill().then(() => order.push("answered"));
    await client.ping();
    assert.deepEqual(order, ["stop"], "other calls are still answered");
    release.resolve();
    await Promise.all([killing, ended]);
    assert.deepEqual(order.slice(0, 2), ["stop", "stopped"]);
    assert.deepEqual(new Set(order.slice(2)), new Set(["answered", "killed", "closed"]));
  });

  it("answers every Kill of several, and stops once", async () => {
    let stops = 0;
    await using daemon = await openFakeDaemon({ stop: async () => void stops++ });
    void daemon.server.killed.then(() => daemon.server[Symbol.asyncDispose]());
    const clients = [1, 2, 3].map(() => connectDaemon({ socketPath: daemon.socketPath }));
    await Promise.all(clients.map((client) => client.ping()));
    await Promise.all(clients.map((client) => client.kill()));
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
    assert.equal(stops, 1);
  });

  it("says killed also when the caller has gone, or the stop has failed", async () => {
    const release = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    await using daemon = await openFakeDaemon({
      async stop() {
        started.resolve();
        await release.promise;
        throw new LocalizerError("internal", "Cannot write the hosts file");
      },
    });
    const client = connectDaemon({ socketPath: daemon.socketPath });
    const killing = assert.rejects(client.kill());
    await started.promise;
    await client[Symbol.asyncDispose]();
    await killing;
    release.resolve();
    await daemon.server.killed;
  });

  it("tells the sentence and code of what a handler throws", async () => {
    await using daemon = await openFakeDaemon({
      list() {
        throw new LocalizerError("denied", 'No right to "list" services');
      },
      isStable() {
        throw new TypeError("a bug");
      },
    });
    await using client = connectDaemon({ socketPath: daemon.socketPath });
    await assert.rejects(client.list(), { code: "denied", message: 'No right to "list" services' });
    await assert.rejects(client.stable(), { code: "internal", message: "a bug" });
    assert.deepEqual(
      daemon.logged.map((entry) => entry.message),
      ["Cannot answer a call"],
    );
  });

  it("answers refused calls of expose with a status and a sentence, and logs a fault", async () => {
    const failures = [
      [new LocalizerError("conflict", "Somebody holds it"), Code.FailedPrecondition],
      [new LocalizerError("not-found", 'There is no Service "shop/cart"'), Code.NotFound],
      [new LocalizerError("denied", 'No right to "patch" deployments'), Code.PermissionDenied],
      [new LocalizerError("usage", "Port 99 is none of its ports"), Code.InvalidArgument],
      [new TypeError("a bug"), Code.Internal],
    ] as const;
    for (const [failure, code] of failures) {
      const refuse = () => saying([], failure);
      await using daemon = await openFakeDaemon({ expose: refuse, stopExpose: refuse });
      using raw = rawTransport(daemon.socketPath);
      const client = createClient(LocalizerService, raw.transport);
      const who = { namespace: "shop", service: "cart" };
      for (const stream of [client.exposeService(who), client.stopExpose(who)]) {
        await assert.rejects(Array.fromAsync(stream), { code, rawMessage: failure.message });
      }
      assert.equal(daemon.logged.length, code === Code.Internal ? 2 : 0);
    }
  });

  it("says SERVING, and NOT_FOUND for services it does not have", async () => {
    await using daemon = await openFakeDaemon();
    using raw = rawTransport(daemon.socketPath);
    const health = createClient(Health, raw.transport);
    for (const service of ["", LocalizerService.typeName]) {
      assert.equal((await health.check({ service })).status, HealthCheckResponse_ServingStatus.SERVING);
    }
    await assert.rejects(health.check({ service: "no.Such" }), { code: Code.NotFound });
  });

  it("ends a stream that would never end when it is disposed", async () => {
    await using daemon = await openFakeDaemon({}, { graceMs: 10_000 });
    using raw = rawTransport(daemon.socketPath);
    const seen: number[] = [];
    for await (const { status } of createClient(Health, raw.transport).watch({})) {
      seen.push(status);
      void daemon.server[Symbol.asyncDispose]();
    }
    assert.deepEqual(seen, [HealthCheckResponse_ServingStatus.SERVING]);
  });

  for (const said of ["", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"]) {
    it(`cuts a client that does not hang up, having said ${JSON.stringify(said.slice(0, 3))}`, async () => {
      await using daemon = await openFakeDaemon({}, { graceMs: 20 });
      const client = connect({ path: daemon.socketPath, allowHalfOpen: true });
      using _client = { [Symbol.dispose]: () => client.destroy() };
      const greeted = once(client, "data");
      client.on("error", () => {}).write(said);
      await greeted;
      await daemon.server[Symbol.asyncDispose]();
      assert.equal(lstatSync(daemon.socketPath, { throwIfNoEntry: false }), undefined);
    });
  }

  it("cuts calls that do not end within the grace", async () => {
    const hanging = new Promise<void>(() => {});
    const started = Promise.withResolvers<void>();
    await using daemon = await openFakeDaemon(
      {
        stop() {
          started.resolve();
          return hanging;
        },
      },
      { graceMs: 20 },
    );
    await using client = connectDaemon({ socketPath: daemon.socketPath });
    const killing = assert.rejects(client.kill(), hasCode("unavailable"));
    await started.promise;
    await daemon.server[Symbol.asyncDispose]();
    await killing;
  });

  it("writes ListService with the field numbers of the contract, and additions behind them", async () => {
    const original = { ...cart, names: [], skippedNames: [], portRows: [], pods: [] };
    await using daemon = await openFakeDaemon({ list: () => [original, ledger, cart] });
    const session = connectHttp2("http://localhost", { createConnection: () => connect(daemon.socketPath) });
    const stream = session.request({
      ":method": "POST",
      ":path": "/api.v1.LocalizerService/List",
      "content-type": "application/grpc",
      te: "trailers",
    });
    const trailers = once(stream, "trailers");
    // One gRPC message: not compressed, four bytes of length, an empty ListRequest.
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
    const body = Buffer.concat(await Array.fromAsync<Buffer>(stream));
    assert.equal((await trailers)[0]["grpc-status"], "0");
    session.close();

    const field = (number: number, text: string) => [(number << 3) | 2, text.length, ...Buffer.from(text)];
    const first = [
      ...field(1, "shop"),
      ...field(2, "cart"),
      ...field(3, "running"),
      ...field(4, "cart-7d9f-abcde"),
      ...field(6, "127.1.2.3"),
      ...field(7, "80/TCP"),
      ...field(7, "9090/TCP"),
    ];
    const second = [
      ...field(1, "bank"),
      ...field(2, "ledger"),
      ...field(3, "denied"),
      ...field(5, 'No right to "create" pods/portforward in "bank"'),
    ];
    const known = [10, first.length, ...first, 10, second.length, ...second];
    assert.equal(body.readUInt8(0), 0, "not compressed");
    assert.equal(body.readUInt32BE(1), body.length - 5, "one message");
    // What the original sends is, byte for byte, what comes when there is nothing to add.
    const message = body.subarray(5);
    assert.equal(message.subarray(0, known.length).toString("hex"), Buffer.from(known).toString("hex"));
    // The third is longer than 127 bytes, so its length takes two.
    const third = message.subarray(known.length);
    assert.equal(third.readUInt8(0), 10);
    const start = third.subarray(3, 3 + first.length);
    assert.equal(start.toString("hex"), Buffer.from(first).toString("hex"));
    assert.equal(third.readUInt8(3 + first.length), (8 << 3) | 2, "names are next");
  });
});
