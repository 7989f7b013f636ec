import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:http2";
import { connect, type Server } from "node:net";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { readBody } from "./api-stream.ts";
import { openH2Session } from "./open-h2-session.ts";

/** Listens on a free port and gives what a session that leads there is made of. Disposing closes the server. */
async function listen(listener: Server) {
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  const socket = connect(address.port, "127.0.0.1");
  const clock = new FakeClock();
  const server = new URL(`http://127.0.0.1:${address.port}`);
  const close = () => new Promise<void>((resolve) => listener.close(() => resolve()));
  const components = { socket, server, clock, certificate: undefined, kind: "call" } as const;
  return { components, clock, [Symbol.asyncDispose]: close };
}

test("openH2Session() speaks HTTP/2 in plain to a http server that can", async () => {
  await using server = await listen(createServer((_request, response) => response.end("{}")));
  await using session = await openH2Session(server.components, undefined);
  using answer = session.send({ kind: "call", method: "GET", path: "/", headers: {}, action: "Cannot get /" });
  assert.equal(String(await readBody(answer, "Cannot get /")), "{}");
});

test("openH2Session() says so when a http server speaks HTTP/1.1 only, as kubectl proxy does, and hangs up", async () => {
  await using server = await listen(createHttpServer());
  const sentence = /^Cannot talk to the API server at 127.0.0.1:\d+: it does not speak HTTP\/2 without TLS$/;
  await assert.rejects(openH2Session(server.components, undefined), { code: "unavailable", message: sentence });
  assert.equal(server.components.socket.destroyed, true);
});

test("H2Session takes no more streams after it is disposed, which may be done twice", async () => {
  await using server = await listen(createServer());
  const session = await openH2Session(server.components, undefined);
  assert.deepEqual([session.hasRoom("call"), session.hasRoom("watch")], [true, false]);
  await session[Symbol.asyncDispose]();
  await session[Symbol.asyncDispose]();
  assert.equal(session.hasRoom("call"), false);
  assert.equal(server.clock.pending, 0);
});
