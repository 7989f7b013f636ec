import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, Socket } from "node:net";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { systemClock } from "../clock.ts";
import { type Port, port } from "../model/port.ts";
import { localDialer } from "./dial-local.ts";

const { signal } = new AbortController();
const dial = localDialer({ clock: systemClock });

/** Accepts, and closes at once what it accepted. */
async function listening(host: string, at = 0): Promise<AsyncDisposable & { port: Port }> {
  const server = createServer((socket) => socket.on("error", () => {}).end(`by ${host}`));
  server.listen({ port: at, host, ipv6Only: true });
  await once(server, "listening");
  const bound = server.address();
  assert(bound !== null && typeof bound === "object");
  return {
    port: port(bound.port),
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function freePort(): Promise<Port> {
  await using server = await listening("127.0.0.1");
  return server.port;
}

for (const host of ["127.0.0.1", "::1"]) {
  test(`localDialer() reaches a process that listens on ${host} alone`, async () => {
    // The number must be free on both addresses.
    await using server = await listening(host, await freePort());
    const socket = await dial(server.port, signal);
    assert.equal(socket.isPaused(), true);
    assert.equal(socket.allowHalfOpen, true);
    assert.equal(String((await once(socket.resume(), "data"))[0]), `by ${host}`);
    socket.destroy();
  });
}

test("localDialer() says when nobody listens", async () => {
  const nobody = await freePort();
  await assert.rejects(dial(nobody, signal), {
    code: "refused",
    message: `Cannot connect to local port ${nobody}: nobody listens there`,
  });
});

/** A dialler whose connections the test plays: they are made, and nothing happens. */
function played() {
  const clock = new FakeClock();
  const started: { host: string; socket: Socket }[] = [];
  const start = (host: string) => {
    const socket = new Socket();
    started.push({ host, socket });
    return socket;
  };
  return { clock, started, dial: localDialer({ clock, start }) };
}

test("localDialer() tries ::1 when 127.0.0.1 has not answered for 100 ms, and drops the loser", async () => {
  const { clock, started, dial } = played();
  const dialling = dial(port(8080), signal);
  await clock.advance(99);
  assert.deepEqual(
    started.map(({ host }) => host),
    ["127.0.0.1"],
  );
  await clock.advance(1);
  const [slow, fast] = started;
  assert(slow !== undefined && fast !== undefined);
  assert.equal(fast.host, "::1");
  fast.socket.emit("connect");
  assert.equal(await dialling, fast.socket);
  assert(slow.socket.destroyed);
  assert.equal(clock.pending, 0);
});

test("localDialer() gives up after 5 s, or when its signal fires, and leaves nothing behind", async () => {
  for (const how of ["timeout", "aborted"] as const) {
    const { clock, started, dial } = played();
    const stop = new AbortController();
    const dialling = dial(port(8080), stop.signal);
    dialling.catch(() => {});
    await clock.advance(200);
    if (how === "aborted") stop.abort();
    else await clock.advance(4_800);
    await assert.rejects(dialling, { code: how });
    assert(started.length === 2 && started.every(({ socket }) => socket.destroyed));
    assert.equal(clock.pending, 0);
  }
});

test("localDialer() takes a connection to itself for a refusal", async () => {
  const { started, dial } = played();
  const dialling = dial(port(8080), signal);
  dialling.catch(() => {});
  for (const index of [0, 1]) {
    const socket = started[index]?.socket;
    assert(socket !== undefined);
    for (const [name, value] of Object.entries({
      localPort: 8080,
      remotePort: 8080,
      localAddress: "x",
      remoteAddress: "x",
    })) {
      Object.defineProperty(socket, name, { value });
    }
    socket.emit("connect");
    await new Promise((resolve) => setImmediate(resolve));
  }
  await assert.rejects(dialling, { code: "refused" });
});

test("localDialer() says what the system says when it is no refusal", async () => {
  const { started, dial } = played();
  const dialling = dial(port(8080), signal);
  started[0]?.socket.destroy(Object.assign(new Error("too many open files"), { code: "EMFILE" }));
  await new Promise((resolve) => setImmediate(resolve));
  started[1]?.socket.destroy(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }));
  await assert.rejects(dialling, {
    code: "unavailable",
    message: "Cannot connect to local port 8080: too many open files",
  });
});
