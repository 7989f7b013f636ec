import assert from "node:assert/strict";
import { createServer as createHttp2Server } from "node:http2";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { makeCertificate } from "../../test/support/fake-api-server.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { type Http1Request, type Http1Server, startHttp1Server } from "../../test/support/http1-server.ts";
import { startHttpProxy, startSocksProxy } from "../../test/support/proxies.ts";
import { type Clock, systemClock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { ApiClient } from "./api-client.ts";
import type { WatchEvent } from "./watch-events.ts";

const tls = await makeCertificate();
const watchOf = "/api/v1/services?watch=1";
const event = '{"type":"ADDED","object":{"a":1}}\n';
const echo = ({ message, body, response }: Http1Request) =>
  void response.end(JSON.stringify({ method: message.method, url: message.url, body }));

function clientOf(server: Http1Server, clock: Clock = systemClock): ApiClient {
  return new ApiClient({ cluster: server.cluster(), clock }, { version: "1.2.3" });
}

function hasCode(code: string, sentence?: RegExp) {
  return (error: unknown) =>
    error instanceof LocalizerError && error.code === code && (sentence?.test(error.message) ?? true);
}

async function collect(events: AsyncIterable<WatchEvent>): Promise<WatchEvent[]> {
  return await Array.fromAsync(events);
}

for (const options of [{ tls }, {}]) {
  const scheme = options.tls === undefined ? "http" : "https";

  test(`request() speaks HTTP/1.1 where ${scheme}:// offers no more, on one connection`, async () => {
    await using server = await startHttp1Server(echo, options);
    await using client = clientOf(server);
    const url = "/prefix/api/v1/x/y";
    const path = "/api/v1/x/y";
    assert.deepEqual(await client.getJson(`${path}?a=b`), { method: "GET", url: `${url}?a=b`, body: "" });
    for (const method of ["POST", "PATCH", "DELETE", "PUT"] as const) {
      const sent = await client.request({ method, path, body: { é: 1 } });
      assert.deepEqual(sent, { method, url, body: '{"é":1}' });
    }
    assert.deepEqual(await client.request({ method: "DELETE", path }), { method: "DELETE", url, body: "" });
    // HTTP/2 is tried once where nothing says beforehand what is spoken; that connection brings no request.
    assert.equal(server.sockets.size, 1);
    assert.equal(server.connections(), scheme === "https" ? 1 : 2);
    const { headers } = server.requests[0]?.message ?? {};
    assert.equal(headers?.["user-agent"], "localizer/1.2.3");
    assert.equal(headers?.host, server.cluster().server.host);
  });
}

test("getJson() reads a gzipped answer and an answer without a body over HTTP/1.1", async () => {
  await using server = await startHttp1Server(({ message, response }) => {
    if (message.headers["accept-encoding"] === "gzip") response.writeHead(200, { "content-encoding": "gzip" });
    response.end(message.url?.endsWith("empty") ? "" : gzipSync('{"items":[]}'));
  });
  await using client = clientOf(server);
  assert.deepEqual(await client.getJson("/api"), { items: [] });
  assert.equal(await client.getJson("/empty"), undefined);
});

test("request() has at most 8 connections for short calls over HTTP/1.1, used again and again", async () => {
  const held: Http1Request[] = [];
  await using server = await startHttp1Server((request) => void held.push(request), { tls });
  await using client = clientOf(server);
  const calls = Array.from({ length: 30 }, (_, i) => client.getJson(`/api/${i}`));
  let answered = 0;
  while (answered < 30) {
    await server.until(() => held.length >= Math.min(8, 30 - answered));
    assert.ok(held.length <= 8, `${held.length} at a time`);
    for (const request of held.splice(0)) {
      answered++;
      echo(request);
    }
  }
  await Promise.all(calls);
  assert.equal(server.connections(), 8);
});

test("request() waiting for a free HTTP/1.1 connection ends with its signal, and with the client", async () => {
  await using server = await startHttp1Server(() => {}, { tls });
  const client = clientOf(server);
  const calls = Array.from({ length: 8 }, () => client.getJson("/api"));
  const settledCalls = Promise.allSettled(calls);
  await server.until(() => server.requests.length === 8);
  const stopping = new AbortController();
  const ninth = client.getJson("/api", { signal: stopping.signal });
  const tenth = assert.rejects(client.getJson("/api"), hasCode("aborted"));
  stopping.abort();
  await assert.rejects(ninth, hasCode("aborted"));
  await client[Symbol.asyncDispose]();
  await tenth;
  for (const { status } of await settledCalls) assert.equal(status, "rejected");
});

test("watch() has an HTTP/1.1 connection of its own and gives events as they come", async () => {
  await using server = await startHttp1Server(({ message, response }) => {
    if (message.url?.includes("watch=1")) response.write(event.slice(0, 10));
    else response.end("{}");
  });
  await using client = clientOf(server);
  const stopping = new AbortController();
  const first = collect(client.watch(watchOf));
  const second = assert.rejects(collect(client.watch(watchOf, { signal: stopping.signal })), hasCode("aborted"));
  await server.until(() => server.requests.length === 2);
  await client.getJson("/api");
  assert.equal(server.sockets.size, 3);
  server.requests[0]?.response.end(event.slice(10) + event);
  assert.equal((await first).length, 2);
  stopping.abort();
  await second;
  await server.until(() => server.sockets.size === 2);
});

test("watch() over HTTP/1.1 closes its connection when nobody reads on", async () => {
  await using server = await startHttp1Server(({ response }) => void response.write(event), { tls });
  await using client = clientOf(server);
  for await (const _event of client.watch(watchOf)) break;
  await server.until(() => server.sockets.size === 0);
});

test("watch() over HTTP/1.1 throws unavailable when it breaks off, within a line or between two", async () => {
  for (const text of [event, event.slice(0, 5)]) {
    await using server = await startHttp1Server(({ response }) => {
      response.write(text, () => response.destroy());
    });
    await using client = clientOf(server);
    await assert.rejects(collect(client.watch(watchOf)), hasCode("unavailable", /^Cannot watch \/api\/v1\/services: /));
  }
});

test("watch() over HTTP/1.1 ends after 90 s without a byte, and not while bytes come", async () => {
  const clock = new FakeClock();
  await using server = await startHttp1Server(({ response }) => void response.write(event), { tls });
  await using client = clientOf(server, clock);
  const watch = client.watch(watchOf);
  await watch.next();
  for (let minute = 0; minute < 3; minute++) {
    await clock.advance(60_000);
    server.requests[0]?.response.write(event);
    assert.equal((await watch.next()).done, false);
  }
  const last = watch.next();
  await clock.advance(120_000);
  assert.equal((await last).done, true);
  await server.until(() => server.sockets.size === 0);
});

test("request() over HTTP/1.1 throws by status, timeout and aborted, and closes what it gave up", async () => {
  const clock = new FakeClock();
  await using server = await startHttp1Server(({ message, response }) => {
    if (message.url === "/prefix/no") response.writeHead(404).end('{"message":"not here"}');
  });
  await using client = clientOf(server, clock);
  await assert.rejects(client.getJson("/no"), hasCode("not-found", /^Cannot get \/no: not here$/));
  const late = assert.rejects(client.getJson("/late", { timeoutMs: 5_000 }), hasCode("timeout"));
  await server.until(() => server.requests.length === 2);
  await clock.advance(5_000);
  await late;
  await server.until(() => server.sockets.size === 0);
  const stopping = new AbortController();
  const aborted = assert.rejects(client.getJson("/late", { signal: stopping.signal }), hasCode("aborted"));
  await server.until(() => server.requests.length === 3);
  stopping.abort();
  await aborted;
  await server.until(() => server.sockets.size === 0);
});

test("request() over HTTP/1.1 repeats a GET once when the connection is lost, and never a POST", async () => {
  let cuts = 0;
  await using server = await startHttp1Server((request) =>
    cuts-- > 0 ? request.message.socket.destroy() : echo(request),
  );
  await using client = clientOf(server);
  await client.getJson("/api");
  cuts = 1;
  await client.getJson("/api");
  cuts = 1;
  await assert.rejects(client.request({ method: "POST", path: "/api", body: {} }), hasCode("unavailable"));
  assert.equal(server.requests.length, 4);
});

test("request() connects anew when the server closed the HTTP/1.1 connection, said so, or when it was idle", async () => {
  const clock = new FakeClock();
  const headers: Record<string, string>[] = [{}, { connection: "close" }, { "keep-alive": "timeout=5" }, {}, {}];
  await using server = await startHttp1Server(
    (request) => {
      for (const [name, value] of Object.entries(headers.shift() ?? {})) request.response.setHeader(name, value);
      echo(request);
    },
    { tls },
  );
  await using client = clientOf(server, clock);
  await client.getJson("/api");
  for (const socket of server.sockets) socket.end();
  await server.until(() => server.sockets.size === 0);
  await client.getJson("/api");
  await server.until(() => server.sockets.size === 0);
  await client.getJson("/api");
  await clock.advance(4_000);
  await server.until(() => server.sockets.size === 0);
  await client.getJson("/api");
  await clock.advance(30_000);
  await server.until(() => server.sockets.size === 0);
  await client.getJson("/api");
  assert.equal(server.connections(), 5);
});

test("request() tries HTTP/2 again without TLS when the HTTP/1.1 that it fell back to was never answered", async () => {
  let refusals = 1;
  const server = createHttp2Server((_request, response) => response.end("{}"));
  server.on("session", (session) => void (refusals-- > 0 && session.destroy()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await using _closing = { [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())) };
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const url = new URL(`http://127.0.0.1:${address.port}`);
  await using other = await startHttp1Server(echo);
  await using client = new ApiClient({ cluster: other.cluster({ server: url }), clock: systemClock }, { version: "0" });
  assert.deepEqual(await client.getJson("/api"), {});
});

test("request() and watch() go through a proxy, over HTTP/1.1 and without TLS too", async () => {
  await using server = await startHttp1Server(({ response }) => void response.end(event));
  for (const [scheme, start] of [
    ["http", startHttpProxy],
    ["socks5", startSocksProxy],
  ] as const) {
    await using proxy = await start();
    const cluster = server.cluster({ proxy: new URL(`${scheme}://127.0.0.1:${proxy.port}`) });
    await using client = new ApiClient({ cluster, clock: systemClock }, { version: "0" });
    assert.equal((await collect(client.watch(watchOf))).length, 1);
    assert.deepEqual(await client.getJson("/api"), JSON.parse(event));
    assert.ok(proxy.tunnels.length > 0);
  }
});
