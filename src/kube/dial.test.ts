import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { makeCertificate } from "../../test/support/fake-api-server.ts";
import { LocalizerError } from "../errors.ts";
import { type DialTarget, dialApiServer, hostAndPort } from "./dial.ts";
import { TlsClient, type TlsOptions } from "./tls-client.ts";

const { key, cert } = await makeCertificate();

interface TestServer extends AsyncDisposable {
  readonly port: number;
}

async function listen(server: ReturnType<typeof createServer>): Promise<TestServer> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function listenTls(protocols: string[], certificate = { key, cert }): Promise<TestServer> {
  const server = createTlsServer({ ...certificate, ALPNProtocols: protocols }, (socket) =>
    socket.on("error", () => {}),
  );
  server.on("tlsClientError", () => {});
  return listen(server);
}

function target(port: number, tls: Partial<TlsOptions> = {}, scheme = "https"): DialTarget {
  const options = { ca: cert, rejectUnauthorized: true, ...tls };
  return { server: new URL(`${scheme}://127.0.0.1:${port}/prefix`), tls: options, tlsClient: new TlsClient(options) };
}

function asTls(socket: TLSSocket | Socket): TLSSocket {
  assert.ok("alpnProtocol" in socket);
  return socket;
}

function unavailable(sentence: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof LocalizerError);
    assert.equal(error.code, "unavailable");
    assert.match(error.message, sentence);
    return true;
  };
}

test("hostAndPort() knows default ports and IPv6", () => {
  assert.deepEqual(hostAndPort(new URL("https://api.example/x")), { host: "api.example", port: 443 });
  assert.deepEqual(hostAndPort(new URL("http://[::1]")), { host: "::1", port: 80 });
  assert.deepEqual(hostAndPort(new URL("https://[::1]:6443")), { host: "::1", port: 6443 });
});

for (const alpn of ["h2", "http/1.1"] as const) {
  test(`dialApiServer() offers ${alpn} alone`, async () => {
    await using server = await listenTls(["h2", "http/1.1"]);
    await using socket = asTls(await dialApiServer(target(server.port), { alpn }));
    assert.equal(socket.alpnProtocol, alpn);
    assert.equal(socket.authorized, true);
  });
}

test("dialApiServer() resumes the session of the connection before, per protocol", async () => {
  await using server = await listenTls(["h2", "http/1.1"]);
  const where = target(server.port);
  await using first = asTls(await dialApiServer(where, { alpn: "http/1.1" }));
  await new Promise((resolve) => first.once("session", resolve));
  await using second = asTls(await dialApiServer(where, { alpn: "http/1.1" }));
  await using third = asTls(await dialApiServer(where, { alpn: "h2" }));
  const reused = [first, second, third].map((socket) => socket.isSessionReused());
  assert.deepEqual(reused, [false, true, false]);
});

test("dialApiServer() connects in plain to a http server", async () => {
  await using server = await listen(createServer());
  await using socket = await dialApiServer(target(server.port, {}, "http"), { alpn: "http/1.1" });
  assert.equal("alpnProtocol" in socket, false);
});

test("dialApiServer() throws unavailable with the address when nothing listens", async () => {
  const server = await listen(createServer());
  await server[Symbol.asyncDispose]();
  const sentence = new RegExp(`^Cannot connect to the API server at 127.0.0.1:${server.port}: connection refused`);
  await assert.rejects(dialApiServer(target(server.port), { alpn: "h2" }), unavailable(sentence));
});

test("dialApiServer() says what is wrong with the server's certificate", async () => {
  await using server = await listenTls(["h2"]);
  const stranger = await makeCertificate();
  const wrongAuthority = target(server.port, { ca: stranger.cert });
  await assert.rejects(
    dialApiServer(wrongAuthority, { alpn: "h2" }),
    unavailable(/not the kubeconfig's certificate-au/),
  );
  const wrongName = target(server.port, { servername: "api.example" });
  await assert.rejects(dialApiServer(wrongName, { alpn: "h2" }), unavailable(/is for another name \(.*localhost/));
});

test("dialApiServer() accepts any certificate when told to", async () => {
  await using server = await listenTls(["h2"]);
  const url = new URL(`https://127.0.0.1:${server.port}`);
  await using socket = asTls(await dialApiServer({ server: url, tls: { rejectUnauthorized: false } }, { alpn: "h2" }));
  assert.equal(socket.authorized, false);
});

test("dialApiServer() checks tls-server-name whether it is a name or an address", async () => {
  const certificate = await makeCertificate("DNS:api.internal,IP:127.0.0.9");
  await using server = await listenTls(["h2"], certificate);
  for (const servername of ["api.internal", "127.0.0.9"]) {
    await using socket = asTls(
      await dialApiServer(target(server.port, { ca: certificate.cert, servername }), { alpn: "h2" }),
    );
    assert.equal(socket.authorized, true);
  }
});

test("dialApiServer() throws unavailable when the server does not speak TLS or HTTP/2", async () => {
  await using plain = await listen(createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")));
  await assert.rejects(dialApiServer(target(plain.port), { alpn: "h2" }), unavailable(/it does not speak TLS/));
  await using old = await listenTls(["http/1.1"]);
  await assert.rejects(dialApiServer(target(old.port), { alpn: "h2" }), unavailable(/does not speak/));
});

test("dialApiServer() throws usage when our certificate cannot be used", async () => {
  const bad = target(1, { cert: Buffer.from("no"), key: Buffer.from("no") });
  const isUsage = (error: unknown) => error instanceof LocalizerError && error.code === "usage";
  await assert.rejects(dialApiServer(bad, { alpn: "h2" }), isUsage);
});

test("dialApiServer() throws aborted when the signal fires, and hangs up", async () => {
  const stopping = new AbortController();
  const hungUp = Promise.withResolvers<void>();
  const silent = createServer((socket) => {
    socket.on("close", () => hungUp.resolve());
    socket.resume();
    stopping.abort();
  });
  await using server = await listen(silent);
  const isAborted = (error: unknown) => error instanceof LocalizerError && error.code === "aborted";
  await assert.rejects(dialApiServer(target(server.port), { alpn: "h2", signal: stopping.signal }), isAborted);
  await hungUp.promise;
});
