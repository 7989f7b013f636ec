import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { createServer as createTlsServer, TLSSocket } from "node:tls";
import { makeCertificate } from "../../test/support/fake-api-server.ts";
import { LocalizerError } from "../errors.ts";
import { type Dialled, type DialTarget, dialApiServer, hostAndPort } from "./dial.ts";
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

function asTls({ socket }: Dialled): TLSSocket {
  assert.ok(socket instanceof TLSSocket);
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

for (const [alpn, offered, protocol] of [
  ["either", ["h2", "http/1.1"], "h2"],
  ["either", ["http/1.1"], "http/1.1"],
  ["either", [], "http/1.1"],
  ["http/1.1", ["h2", "http/1.1"], "http/1.1"],
] as const) {
  test(`dialApiServer() wanting ${alpn} of a server with ${offered} agrees on ${protocol}`, async () => {
    await using server = await listenTls([...offered]);
    const dialled = await dialApiServer(target(server.port), { alpn });
    await using socket = asTls(dialled);
    assert.equal(dialled.protocol, protocol);
    assert.equal(socket.authorized, true);
  });
}

test("dialApiServer() resumes the session of the connection before, per protocol", async () => {
  await using server = await listenTls(["h2", "http/1.1"]);
  const where = target(server.port);
  await using first = asTls(await dialApiServer(where, { alpn: "http/1.1" }));
  await new Promise((resolve) => first.once("session", resolve));
  await using second = asTls(await dialApiServer(where, { alpn: "http/1.1" }));
  await using third = asTls(await dialApiServer(where, { alpn: "either" }));
  const reused = [first, second, third].map((socket) => socket.isSessionReused());
  assert.deepEqual(reused, [false, true, false]);
});

test("dialApiServer() connects in plain to a http server", async () => {
  await using server = await listen(createServer());
  const { socket, protocol } = await dialApiServer(target(server.port, {}, "http"), { alpn: "either" });
  assert.equal(socket instanceof TLSSocket, false);
  assert.equal(protocol, undefined);
  socket.destroy();
});

test("dialApiServer() throws unavailable with the address when nothing listens", async () => {
  const server = await listen(createServer());
  await server[Symbol.asyncDispose]();
  const sentence = new RegExp(`^Cannot connect to the API server at 127.0.0.1:${server.port}: connection refused`);
  await assert.rejects(dialApiServer(target(server.port), { alpn: "either" }), unavailable(sentence));
});

test("dialApiServer() says what is wrong with the server's certificate", async () => {
  await using server = await listenTls(["h2"]);
  const stranger = await makeCertificate();
  const wrongAuthority = target(server.port, { ca: stranger.cert });
  await assert.rejects(
    dialApiServer(wrongAuthority, { alpn: "either" }),
    unavailable(/not the kubeconfig's certificate-au/),
  );
  const wrongName = target(server.port, { servername: "api.example" });
  await assert.rejects(dialApiServer(wrongName, { alpn: "either" }), unavailable(/is for another name \(.*localhost/));
});

test("dialApiServer() accepts any certificate when told to", async () => {
  await using server = await listenTls(["h2"]);
  const url = new URL(`https://127.0.0.1:${server.port}`);
  await using socket = asTls(
    await dialApiServer({ server: url, tls: { rejectUnauthorized: false } }, { alpn: "either" }),
  );
  assert.equal(socket.authorized, false);
});

test("dialApiServer() checks tls-server-name whether it is a name or an address", async () => {
  const certificate = await makeCertificate("DNS:api.internal,IP:127.0.0.9");
  await using server = await listenTls(["h2"], certificate);
  for (const servername of ["api.internal", "127.0.0.9"]) {
    await using socket = asTls(
      await dialApiServer(target(server.port, { ca: certificate.cert, servername }), { alpn: "either" }),
    );
    assert.equal(socket.authorized, true);
  }
});

test("dialApiServer() throws unavailable when the server does not speak TLS or none of our protocols", async () => {
  await using plain = await listen(createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")));
  await assert.rejects(dialApiServer(target(plain.port), { alpn: "either" }), unavailable(/it does not speak TLS/));
  await using old = await listenTls(["http/0.9"]);
  await assert.rejects(dialApiServer(target(old.port), { alpn: "either" }), unavailable(/does not speak/));
});

test("dialApiServer() throws usage when our certificate cannot be used", async () => {
  const bad = target(1, { cert: Buffer.from("no"), key: Buffer.from("no") });
  const isUsage = (error: unknown) => error instanceof LocalizerError && error.code === "usage";
  await assert.rejects(dialApiServer(bad, { alpn: "either" }), isUsage);
});

test("dialApiServer() shows the credential's certificate in the place of the kubeconfig's, and resumes none of another's", async () => {
  const [own, first, second] = await Promise.all([makeCertificate(), makeCertificate(), makeCertificate()]);
  const seen: (string | undefined)[] = [];
  const asking = createTlsServer({ key, cert, requestCert: true, rejectUnauthorized: false }, (socket) => {
    seen.push(socket.getPeerX509Certificate()?.fingerprint256);
    socket.end("x");
  });
  await using server = await listen(asking);
  const where = target(server.port, own);
  const reused: boolean[] = [];
  for (const certificate of [undefined, first, { ...first }, second, undefined]) {
    const socket = asTls(await dialApiServer(where, { alpn: "http/1.1", certificate }));
    reused.push(socket.isSessionReused());
    for await (const _byte of socket);
  }
  const prints = [own, first, first, second, own].map((one) => new X509Certificate(one.cert).fingerprint256);
  assert.deepEqual(seen, prints);
  assert.deepEqual(reused, [false, false, true, false, false]);
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
  await assert.rejects(dialApiServer(target(server.port), { alpn: "either", signal: stopping.signal }), isAborted);
  await hungUp.promise;
});
