import assert from "node:assert/strict";
import { connect, createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { isLoopbackAddress } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import { adoptServer, bindError, type ListenAddress, listenHere } from "./listen.ts";

function at(number: number): ListenAddress {
  const address = "127.0.0.1";
  assert.ok(isLoopbackAddress(address));
  return { address, port: port(number) };
}

const event = (emitter: NodeJS.EventEmitter, name: string) =>
  new Promise<unknown>((resolve) => emitter.once(name, (value: unknown) => resolve(value)));

async function openServer(): Promise<{ server: Server; where: ListenAddress }> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await event(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return { server, where: at(address.port) };
}

/** An address whose port nothing listens on. */
async function freePort(): Promise<ListenAddress> {
  const { server, where } = await openServer();
  server.close();
  await event(server, "close");
  return where;
}

function dial(where: ListenAddress): Socket {
  const socket = connect({ host: where.address, port: where.port, allowHalfOpen: true });
  socket.on("error", () => {});
  return socket;
}

test("listenHere() hands over accepted sockets paused, half-open allowed, safe against errors", async () => {
  const where = await freePort();
  const accepted = Promise.withResolvers<Socket>();
  await using _listener = await listenHere(where, accepted.resolve);
  const app = dial(where);
  const socket = await accepted.promise;
  assert.deepEqual(
    { paused: socket.isPaused(), halfOpen: socket.allowHalfOpen, handlers: socket.listenerCount("error") },
    { paused: true, halfOpen: true, handlers: 1 },
  );
  app.end("question");
  assert.equal(String(await event(socket.resume(), "data")), "question");
  await event(socket, "end");
  socket.end("answer");
  assert.equal(String(await event(app, "data")), "answer");
  app.destroy();
});

test("listenHere() throws conflict when the port is taken", async () => {
  const { server, where } = await openServer();
  await assert.rejects(
    listenHere(where, () => {}),
    { code: "conflict", message: `Cannot listen on 127.0.0.1:${where.port}: the port is taken by another program` },
  );
  server.close();
});

test("listenHere() does not listen when the signal has fired", async () => {
  const where = await freePort();
  await assert.rejects(
    listenHere(where, () => {}, AbortSignal.abort()),
    { code: "aborted" },
  );
});

test("listenHere() gives the port back when the signal fires while it binds", async () => {
  const where = await freePort();
  const controller = new AbortController();
  const listening = listenHere(where, () => {}, controller.signal);
  controller.abort();
  await assert.rejects(listening, { code: "aborted" });
  await using _again = await listenHere(where, () => {});
});

test("Listener[Symbol.asyncDispose]() frees the port though a connection is open, which stays", async () => {
  const where = await freePort();
  const accepted = Promise.withResolvers<Socket>();
  const listener = await listenHere(where, accepted.resolve);
  const app = dial(where);
  const socket = await accepted.promise;
  await listener[Symbol.asyncDispose]();
  await listener[Symbol.asyncDispose]();
  await using _again = await listenHere(where, () => assert.fail("the old connection came back"));
  socket.write("still here");
  assert.equal(String(await event(app, "data")), "still here");
  app.destroy();
  socket.destroy();
});

test("adoptServer() serves a server that somebody else has bound as listenHere() does", async () => {
  const { server, where } = await openServer();
  const accepted = Promise.withResolvers<Socket>();
  const listener = adoptServer(server, where, accepted.resolve);
  assert.equal(listener.at, where);
  const app = dial(where);
  const socket = await accepted.promise;
  assert.ok(socket.isPaused() && socket.allowHalfOpen);
  server.emit("error", new Error("an accept failed"));
  app.destroy();
  socket.destroy();
  await listener[Symbol.asyncDispose]();
  assert.equal(server.listening, false);
});

test("bindError() tells what each errno means", () => {
  const failed = (code: string, number = 80) => {
    const error = bindError(at(number), Object.assign(new Error(`bind ${code}`), { code }));
    return `${error.code}: ${error.message}`;
  };
  assert.deepEqual(
    [failed("EADDRINUSE"), failed("EACCES"), failed("EPERM"), failed("EACCES", 8080)],
    [
      "conflict: Cannot listen on 127.0.0.1:80: the port is taken by another program",
      "denied: Cannot listen on 127.0.0.1:80: ports below 1024 need the helper",
      "denied: Cannot listen on 127.0.0.1:80: ports below 1024 need the helper",
      "denied: Cannot listen on 127.0.0.1:8080: the system does not allow it",
    ],
  );
  const tooMany = "too many files are open, raise the limit on them (ulimit -n)";
  assert.deepEqual(
    [failed("EADDRNOTAVAIL"), failed("EMFILE"), failed("ENFILE"), failed("EIO")],
    [
      "unavailable: Cannot listen on 127.0.0.1:80: the address is not on this machine",
      `unavailable: Cannot listen on 127.0.0.1:80: ${tooMany}`,
      `unavailable: Cannot listen on 127.0.0.1:80: ${tooMany}`,
      "internal: Cannot listen on 127.0.0.1:80: bind EIO",
    ],
  );
});
