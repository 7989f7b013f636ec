import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { makeCertificate } from "../../test/support/fake-api-server.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { startHttpProxy, startSocksProxy } from "../../test/support/proxies.ts";
import { dialApiServer } from "./dial.ts";
import { openH2Session } from "./open-h2-session.ts";
import { connectThroughProxy, nameOfProxy } from "./proxy.ts";
import { TlsClient } from "./tls-client.ts";

const login = { user: "jo", password: "p@ss:wörd" };
const secret = "p%40ss:w%C3%B6rd";
const tls = new TlsClient({ rejectUnauthorized: true });

/** Listens on 127.0.0.1. */
async function listen(onConnection: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { at: { host: "127.0.0.1", port: address.port }, sockets, [Symbol.asyncDispose]: close };
}

/** Greets, as an SSH server does, and sends back what it gets. */
const listenEcho = () =>
  listen((socket) => {
    socket.write("hi ");
    socket.pipe(socket);
  });

/** What comes back from the echo for "there". */
async function exchange(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (bytes) => {
    text += String(bytes);
    if (text.endsWith("there")) socket.destroy();
  });
  socket.write("there");
  await once(socket, "close");
  return text;
}

const starters = { http: startHttpProxy, socks5: startSocksProxy, socks5h: startSocksProxy } as const;

for (const scheme of ["http", "socks5", "socks5h"] as const) {
  test(`connectThroughProxy() goes through ${scheme}://, with the login, and loses no early byte`, async () => {
    await using echo = await listenEcho();
    await using proxy = await starters[scheme]({ login });
    const url = new URL(`${scheme}://jo:${secret}@127.0.0.1:${proxy.port}`);
    assert.equal(await exchange(await connectThroughProxy(url, echo.at, { tls })), "hi there");
    const byName = { ...echo.at, host: "localhost" };
    assert.equal(await exchange(await connectThroughProxy(url, byName, { tls })), "hi there");
    assert.deepEqual(proxy.tunnels, [`127.0.0.1:${echo.at.port}`, `localhost:${echo.at.port}`]);
    assert.equal(proxy.refusals, 0);
  });

  test(`connectThroughProxy() says which ${scheme}:// proxy wants another login, without the password`, async () => {
    await using proxy = await starters[scheme]({ login });
    const name = `the proxy "${scheme}://127.0.0.1:${proxy.port}"`;
    const action = `Cannot connect to the API server at api.example:6443 through ${name}`;
    for (const [userinfo, reason] of [
      ["", "it asks for a user and a password, which its URL does not have"],
      ["jo:secret@", "it does not accept the user and password of its URL"],
    ]) {
      const url = new URL(`${scheme}://${userinfo}127.0.0.1:${proxy.port}`);
      const error = await connectThroughProxy(url, { host: "api.example", port: 6443 }, { tls }).catch((e) => e);
      assert.equal(error.code, "unavailable");
      assert.equal(error.message.replace(/ \(407 .*\)$/, ""), `${action}: ${reason}`);
    }
    assert.deepEqual(proxy.tunnels, []);
  });

  test(`connectThroughProxy() says so when nothing listens at ${scheme}://, and when the server refuses`, async () => {
    const gone = await listenEcho();
    await gone[Symbol.asyncDispose]();
    const dead = new URL(`${scheme}://jo:secret@127.0.0.1:${gone.at.port}`);
    await assert.rejects(connectThroughProxy(dead, gone.at, { tls }), {
      code: "unavailable",
      message: `Cannot connect to ${nameOfProxy(dead)}: connection refused, nothing listens there`,
    });
    await using proxy = await starters[scheme]();
    const url = new URL(`${scheme}://127.0.0.1:${proxy.port}`);
    const message =
      /^Cannot connect to the API server at 127.0.0.1:\d+ through the proxy "[^"]+": (it cannot reach|the server ref)/;
    await assert.rejects(connectThroughProxy(url, gone.at, { tls }), { code: "unavailable", message });
  });

  test(`connectThroughProxy() ends with the signal while ${scheme}:// says nothing, and hangs up`, async () => {
    const stopping = new AbortController();
    await using silent = await listen((socket) => void socket.once("data", () => stopping.abort()).resume());
    const url = new URL(`${scheme}://127.0.0.1:${silent.at.port}`);
    await assert.rejects(connectThroughProxy(url, silent.at, { tls, signal: stopping.signal }), { code: "aborted" });
    for (const socket of silent.sockets) if (!socket.closed) await once(socket, "close");
  });

  for (const [answer, reason] of [
    ["SSH-2.0-OpenSSH_9.2\r\n", /its answer is no (HTTP|SOCKS5), so it is no (HTTP|SOCKS5) proxy$/],
    [`HTTP/1.1 200 OK\r\nx: ${"x".repeat(20_000)}`, /its answer is (longer than 16384 bytes|no SOCKS5, .*)$/],
    ["", /it hung up (without an|within its) answer$/],
    [scheme === "http" ? "HTTP/1.1 2" : "\x05", /it hung up (without an|within its) answer$/],
    ...(scheme === "http" ? ([["HTTP/1.1 403 No\r\n\r\n", /it does not allow that \(403 No\)$/]] as const) : []),
  ] as const) {
    test(`connectThroughProxy() knows what is wrong with ${JSON.stringify(answer.slice(0, 20))} from ${scheme}://`, async () => {
      await using odd = await listen((socket) => void socket.once("data", () => socket.end(answer)));
      const url = new URL(`${scheme}://127.0.0.1:${odd.at.port}`);
      await assert.rejects(connectThroughProxy(url, odd.at, { tls }), { code: "unavailable", message: reason });
    });
  }
}

test("connectThroughProxy() sends IPv6 addresses by SOCKS5 as 16 bytes", async () => {
  for (const [host, bytes] of [
    ["2001:db8::1", "20010db8000000000000000000000001"],
    ["::1", "00000000000000000000000000000001"],
    ["fe80::", "fe800000000000000000000000000000"],
    ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
  ] as const) {
    const asked = Promise.withResolvers<Buffer>();
    await using proxy = await listen((socket) => {
      socket.once("data", () => {
        socket.write(Buffer.from([5, 0]));
        socket.once("data", (request: Buffer) => {
          asked.resolve(request);
          socket.end();
        });
      });
    });
    const url = new URL(`socks5://127.0.0.1:${proxy.at.port}`);
    await assert.rejects(connectThroughProxy(url, { host, port: 0x1234 }, { tls }));
    assert.equal((await asked.promise).toString("hex"), `05010004${bytes}1234`);
  }
});

test("connectThroughProxy() takes every answer that comes in single bytes", async () => {
  const spoken = Buffer.from([5, 0, 5, 0, 0, 3, 2, 65, 66, 0, 80, ...Buffer.from("hi there")]);
  await using proxy = await listen((socket) => {
    socket.setNoDelay(true);
    void (async () => {
      for (const byte of spoken)
        await new Promise<void>((next) => socket.write(Buffer.from([byte]), () => setImmediate(next)));
    })();
  });
  const url = new URL(`socks5://127.0.0.1:${proxy.at.port}`);
  const socket = await connectThroughProxy(url, proxy.at, { tls });
  assert.equal(await exchange(socket), "hi there");
});

test("connectThroughProxy() leaves bytes that came with the proxy's answer to HTTP/2 and HTTP/1.1 alike", async () => {
  const granted = "HTTP/1.1 200 Connection established\r\n\r\n";
  await using silent = await listen(() => {});
  const server = new URL(`http://127.0.0.1:${silent.at.port}`);
  const clock = new FakeClock();
  const emptySettings = "\0\0\0\x04\0\0\0\0\0";
  await using proxy = await startHttpProxy({ answer: granted + emptySettings });
  const socket = await connectThroughProxy(new URL(`http://127.0.0.1:${proxy.port}`), silent.at, { tls });
  await using session = await openH2Session({ socket, server, clock, certificate: undefined, kind: "call" }, undefined);
  assert.equal(session.hasRoom("call"), true);
  await using other = await startHttpProxy({ answer: `${granted}hi ` });
  const early = await connectThroughProxy(new URL(`http://127.0.0.1:${other.port}`), silent.at, { tls });
  const [bytes] = await once(early, "data");
  assert.equal(String(bytes), "hi ");
  early.destroy();
});

test("connectThroughProxy() speaks TLS to a https:// proxy, which the kubeconfig's authority may have signed", async () => {
  const certificate = await makeCertificate();
  await using echo = await listenEcho();
  await using proxy = await startHttpProxy({ tls: certificate, login });
  const url = new URL(`https://jo:${secret}@127.0.0.1:${proxy.port}`);
  const knowing = new TlsClient({ ca: certificate.cert, servername: "api.example", rejectUnauthorized: true });
  assert.equal(await exchange(await connectThroughProxy(url, echo.at, { tls: knowing })), "hi there");
  await assert.rejects(connectThroughProxy(url, echo.at, { tls }), {
    code: "unavailable",
    message: `Cannot connect to ${nameOfProxy(url)}: its certificate is self-signed and not an authority that is trusted here`,
  });
});

test("connectThroughProxy() throws usage for a URL that is of no use", async () => {
  for (const [url, message] of [
    ["ftp://proxy.example", /^Cannot use the proxy "ftp:\/\/proxy.example": it has to be/],
    ["http://a%zz@proxy.example", /; write % as %25$/],
  ] as const) {
    await assert.rejects(connectThroughProxy(new URL(url), { host: "a", port: 1 }, { tls }), {
      code: "usage",
      message,
    });
  }
});

test("dialApiServer() speaks TLS to the server inside TLS to the proxy, and names both when it fails", async () => {
  const certificate = await makeCertificate();
  await using origin = await startHttpProxy({ tls: certificate });
  await using proxy = await startHttpProxy({ tls: certificate });
  const server = new URL(`https://localhost:${origin.port}`);
  const target = {
    server,
    proxy: new URL(`https://127.0.0.1:${proxy.port}`),
    tls: { ca: certificate.cert, rejectUnauthorized: true },
  };
  const { socket, protocol } = await dialApiServer(target, { alpn: "either" });
  assert.equal(protocol, "http/1.1");
  socket.destroy();
  assert.deepEqual(proxy.tunnels, [`localhost:${origin.port}`]);
  const wrong = { ...target, tls: { ...target.tls, servername: "api.example" } };
  const message =
    /^Cannot connect to the API server at localhost:\d+ through the proxy "https:[^"]+": its certificate is for another name/;
  await assert.rejects(dialApiServer(wrong, { alpn: "either" }), { code: "unavailable", message });
});
