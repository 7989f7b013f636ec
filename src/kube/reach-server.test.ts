import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { makeCertificate } from "../../test/support/fake-api-server.ts";
import { startHttpProxy } from "../../test/support/proxies.ts";
import { reachServer } from "./reach-server.ts";

const { signal: never } = new AbortController();

/** The server at a port of 127.0.0.1, and what leads to it. */
async function listening(server: Server, scheme: "http" | "https") {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket.on("error", () => {}));
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const at = server.address();
  assert.ok(at !== null && typeof at === "object");
  return {
    target: {
      server: new URL(`${scheme}://127.0.0.1:${at.port}`),
      tls: { rejectUnauthorized: true },
      proxy: undefined,
    },
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

test("reachServer() is content with a server in plain and with one that answers TLS, and closes the connection", async () => {
  for (const [server, scheme] of [
    [createServer((socket) => void socket.resume()), "http"],
    // Nobody trusts its certificate, and it wants one of ours.
    [createTlsServer({ ...(await makeCertificate()), requestCert: true, rejectUnauthorized: true }), "https"],
  ] as const) {
    await using open = await listening(server, scheme);
    await reachServer(open.target, never);
    const [socket] = open.sockets;
    assert.ok(socket !== undefined);
    if (!socket.closed) await once(socket.resume(), "close");
  }
});

test("reachServer() goes through the proxy, and throws when that does not get through", async () => {
  await using proxy = await startHttpProxy();
  const by = new URL(`http://127.0.0.1:${proxy.port}`);
  const open = await listening(
    createServer((socket) => void socket.resume()),
    "http",
  );
  await reachServer({ ...open.target, proxy: by }, never);
  assert.deepEqual(proxy.tunnels, [open.target.server.host]);
  await open[Symbol.asyncDispose]();
  await assert.rejects(reachServer({ ...open.target, proxy: by }, never), { code: "unavailable" });
});

test("reachServer() throws when nobody listens, and when nothing answers until the signal fires", async () => {
  const open = await listening(createServer(), "http");
  await open[Symbol.asyncDispose]();
  await assert.rejects(reachServer(open.target, never), { code: "unavailable" });
  await using silent = await listening(createServer(), "https");
  const stop = new AbortController();
  const reached = assert.rejects(reachServer(silent.target, stop.signal), { code: "aborted" });
  while (silent.sockets.size === 0) await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  await reached;
});
