import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:http2";
import type { Server } from "node:net";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { openH2Session } from "./h2-session.ts";

/** Listens on a free port and gives the target that leads there. Disposing closes the server. */
async function listen(server: Server) {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  const target = { server: new URL(`http://127.0.0.1:${address.port}`), tls: { rejectUnauthorized: true } };
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { target, [Symbol.asyncDispose]: close };
}

test("openH2Session() speaks HTTP/2 in plain to a http server that can", async () => {
  await using server = await listen(createServer((_request, response) => response.end("{}")));
  await using session = await openH2Session(server.target, new FakeClock(), undefined);
  const stream = session.open({ ":path": "/" }, true);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).toString(), "{}");
});

test("openH2Session() says so when a http server speaks HTTP/1.1 only, as kubectl proxy does", async () => {
  await using server = await listen(createHttpServer());
  const sentence = /^Cannot talk to the API server at 127.0.0.1:\d+: it does not speak HTTP\/2 without TLS$/;
  await assert.rejects(openH2Session(server.target, new FakeClock(), undefined), {
    code: "unavailable",
    message: sentence,
  });
});

test("H2Session takes no more streams after it is disposed, which may be done twice", async () => {
  await using server = await listen(createServer());
  const clock = new FakeClock();
  const session = await openH2Session(server.target, clock, undefined);
  assert.equal(session.usable, true);
  await session[Symbol.asyncDispose]();
  await session[Symbol.asyncDispose]();
  assert.equal(session.usable, false);
  assert.equal(clock.pending, 0);
});
