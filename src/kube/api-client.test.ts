import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeApiServer, refuse, startFakeApiServer } from "../../test/support/fake-api-server.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { startRelay } from "../../test/support/relay.ts";
import { systemClock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { ApiClient } from "./api-client.ts";
import { apiStatusOf } from "./api-status.ts";
import { staticCredentials } from "./credentials.ts";
import type { SessionPoolOptions } from "./session-pool.ts";
import type { WatchEvent } from "./watch-events.ts";

const object = { metadata: { namespace: "shop", name: "cart", uid: "u1" } };
const watchOf = "/api/v1/services?watch=1&resourceVersion=0";
const any = () => true;

function clientOf(server: FakeApiServer, clock = systemClock, pool: Partial<SessionPoolOptions> = {}): ApiClient {
  return new ApiClient({ cluster: server.cluster(), clock }, { version: "1.2.3", pool });
}

function hasCode(code: string, sentence?: RegExp) {
  return (error: unknown) =>
    error instanceof LocalizerError && error.code === code && (sentence?.test(error.message) ?? true);
}

async function collect(events: AsyncIterable<WatchEvent>): Promise<WatchEvent[]> {
  const all: WatchEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

test("getJson() reads a gzipped list and says who it is", async () => {
  await using server = await startFakeApiServer();
  await using client = clientOf(server);
  server.put("services", object);
  const list = await client.getJson("/api/v1/services");
  assert.deepEqual(Reflect.get(Object(list), "items")[0].metadata.name, "cart");
  const [request] = server.requests;
  assert.equal(request?.headers["accept-encoding"], "gzip");
  assert.equal(request?.headers["user-agent"], "localizer/1.2.3");
});

test("getJson() joins the server's path prefix and sends the Authorization header", async () => {
  await using server = await startFakeApiServer();
  const url = new URL(`https://127.0.0.1:${server.port}/k8s/c-1/`);
  const cluster = server.cluster({ server: url, credentials: staticCredentials({ authorization: "Bearer t" }) });
  await using client = new ApiClient({ cluster, clock: systemClock }, { version: "0" });
  await client.getJson("/api/v1/services");
  assert.equal(server.requests[0]?.path, "/k8s/c-1/api/v1/services");
  assert.equal(server.requests[0]?.headers.authorization, "Bearer t");
});

test("request() sends a body with DELETE and with a patch", async () => {
  await using server = await startFakeApiServer();
  await using client = clientOf(server);
  await client.request({ method: "DELETE", path: "/api/v1/x/y", body: { preconditions: { uid: "u" } } });
  const patch = {
    method: "PATCH",
    path: "/api/v1/x/y",
    body: { a: null },
    contentType: "application/merge-patch+json",
  };
  await client.request({ ...patch, method: "PATCH" });
  assert.deepEqual(
    server.requests.map(({ method, body, headers }) => [method, body, headers["content-type"]]),
    [
      ["DELETE", '{"preconditions":{"uid":"u"}}', "application/json"],
      ["PATCH", '{"a":null}', "application/merge-patch+json"],
    ],
  );
});

for (const [status, code] of [
  [401, "unauthenticated"],
  [403, "denied"],
  [404, "not-found"],
  [409, "conflict"],
  [410, "expired"],
  [422, "internal"],
  [429, "unavailable"],
  [500, "unavailable"],
  [503, "unavailable"],
] as const) {
  test(`request() throws ${code} for HTTP ${status} with the facts as an ApiStatus`, async () => {
    await using server = await startFakeApiServer();
    await using client = clientOf(server);
    server.onNext(any, refuse(status, "Because", { "retry-after": "7" }));
    const error: unknown = await client.getJson("/api/v1/services?x=1").catch((thrown: unknown) => thrown);
    assert.ok(hasCode(code, /^Cannot get \/api\/v1\/services: Because$/)(error), String(error));
    const facts = { httpStatus: status, reason: "Because", message: "Because", retryAfterMs: 7_000 };
    assert.deepEqual({ ...apiStatusOf(error) }, facts);
    assert.equal(server.requests.length, 1);
  });
}

test("request() throws unavailable for an answer that is no JSON", async () => {
  await using server = await startFakeApiServer();
  await using client = clientOf(server);
  server.onNext(any, (stream) => {
    stream.respond({ ":status": 200 });
    stream.end("<html>log in</html>");
  });
  await assert.rejects(client.getJson("/api"), hasCode("unavailable", /the answer is no JSON$/));
});

test("request() throws timeout when there is no answer in time", async () => {
  await using server = await startFakeApiServer();
  const clock = new FakeClock();
  await using client = clientOf(server, clock, { session: { pingIntervalMs: 1e9, pingsLost: 2, idleMs: 1e9 } });
  server.onNext(any, () => {});
  const answer = client.getJson("/api", { timeoutMs: 5_000 });
  const refused = assert.rejects(answer, hasCode("timeout", /Cannot get \/api: no answer within 5000 ms/));
  await server.until(() => server.requests.length === 1);
  await clock.advance(5_000);
  await refused;
});

test("request() throws aborted and cancels the stream when the signal fires", async () => {
  await using server = await startFakeApiServer();
  await using client = clientOf(server);
  const stopping = new AbortController();
  const cancelled = new Promise<number>((resolve) => {
    server.onNext(any, (stream) => stream.on("close", () => resolve(stream.rstCode)));
  });
  const refused = assert.rejects(client.getJson("/api", { signal: stopping.signal }), hasCode("aborted"));
  await server.until(() => server.requests.length === 1);
  stopping.abort();
  await refused;
  assert.equal(await cancelled, 8);
});

test("request() repeats a GET once when the connection is lost, and never a POST", async () => {
  await using server = await startFakeApiServer();
  await using client = clientOf(server);
  server.onNext(any, (stream) => stream.session?.destroy());
  await client.getJson("/api/v1/services");
  assert.equal(server.requests.length, 2);
  server.onNext(any, (stream) => stream.session?.destroy());
  await assert.rejects(client.request({ method: "POST", path: "/api/v1/services", body: {} }), hasCode("unavailable"));
  assert.equal(server.requests.length, 3);
});

test("request() repeats a POST that the server refused to take", async () => {
  await using server = await startFakeApiServer();
  await using client = clientOf(server);
  server.onNext(any, (stream) => stream.close(7));
  await client.request({ method: "POST", path: "/api/v1/services", body: {} });
  assert.equal(server.requests.length, 2);
});

test("watch() gives events as they come, cut at line ends, and ends with the server's", async () => {
  await using server = await startFakeApiServer();
  await using client = clientOf(server);
  const lines = [
    '{"type":"ADDED","object":{"a":"é"}}\n',
    '{"type":"NEW","object":{}}\n{"type":"BOOKMARK","object":{}}',
  ];
  server.onNext(any, (stream) => {
    stream.respond({ ":status": 200 });
    const bytes = Buffer.from(lines.join(""));
    for (let i = 0; i < bytes.length; i += 3) stream.write(bytes.subarray(i, i + 3));
    stream.end();
  });
  let opened = 0;
  const events = await collect(client.watch(watchOf, { onOpen: () => opened++ }));
  const expected = [
    { type: "ADDED", object: { a: "é" } },
    { type: "BOOKMARK", object: {} },
  ];
  assert.deepEqual(events, expected);
  assert.equal(opened, 1);
});

test("watch() throws expired for 410 as a status and as an event", async () => {
  await using server = await startFakeApiServer();
  await using client = clientOf(server);
  server.onNext(any, refuse(410, "Expired"));
  await assert.rejects(collect(client.watch(watchOf)), hasCode("expired"));
  server.forgetVersions();
  await assert.rejects(collect(client.watch(watchOf)), hasCode("expired"));
});

test("watch() throws unavailable for a broken line and for a lost connection", async () => {
  await using server = await startFakeApiServer();
  await using client = clientOf(server);
  const broken = assert.rejects(collect(client.watch(watchOf)), hasCode("unavailable", /no JSON$/));
  await server.until(() => server.watchers === 1);
  server.say('{"type":"ADDED","ob\n');
  await broken;
  await server.until(() => server.watchers === 0);
  const cut = assert.rejects(collect(client.watch(watchOf)), hasCode("unavailable"));
  await server.until(() => server.watchers === 1);
  server.dropConnections();
  await cut;
});

test("watch() throws aborted when the signal fires while it waits for the next event", async () => {
  await using server = await startFakeApiServer();
  await using client = clientOf(server);
  const stop = new AbortController();
  const opened = Promise.withResolvers<void>();
  const events = client.watch(watchOf, { signal: stop.signal, onOpen: opened.resolve });
  const next = events.next();
  await opened.promise;
  stop.abort();
  await assert.rejects(next, hasCode("aborted"));
});

test("watch() ends its stream when nobody reads on", async () => {
  await using server = await startFakeApiServer();
  await using client = clientOf(server);
  server.onNext(any, (stream) => {
    stream.respond({ ":status": 200 });
    stream.write('{"type":"ADDED","object":{}}\n');
    stream.on("close", () => server.dropConnections());
  });
  for await (const _event of client.watch(watchOf)) break;
  await new Promise<void>((resolve) => {
    for (const session of server.sessions) session.once("close", () => resolve());
  });
});

test("watch() opens another connection when one is full, and none is shared with short calls", async () => {
  await using server = await startFakeApiServer();
  await using client = clientOf(server, systemClock, { session: { maxWatches: 3 } });
  const stopping = new AbortController();
  const watches = [1, 2, 3, 4, 5, 6, 7].map(() => collect(client.watch(watchOf, { signal: stopping.signal })));
  await server.until(() => server.watchers === 7);
  assert.equal(server.connections, 3);
  await client.getJson("/api/v1/services");
  assert.equal(server.connections, 4);
  stopping.abort();
  for (const watch of watches) await assert.rejects(watch, hasCode("aborted"));
});

test("watch() leaves room on a connection of a server that allows few streams", async () => {
  await using server = await startFakeApiServer({ maxConcurrentStreams: 5 });
  await using client = clientOf(server);
  const stopping = new AbortController();
  const open = () => collect(client.watch(watchOf, { signal: stopping.signal }));
  const watches = [open()];
  await server.until(() => server.watchers === 1);
  for (let i = 0; i < 5; i++) watches.push(open());
  await server.until(() => server.watchers === 6);
  assert.equal(server.connections, 2);
  stopping.abort();
  for (const watch of watches) await assert.rejects(watch, hasCode("aborted"));
});

test("watch() notices within 15 s that the server is dead", async () => {
  await using server = await startFakeApiServer();
  await using relay = await startRelay(server.port);
  const clock = new FakeClock();
  const cluster = server.cluster({ server: new URL(`https://127.0.0.1:${relay.port}`) });
  await using client = new ApiClient({ cluster, clock }, { version: "0" });
  const lost = assert.rejects(collect(client.watch(watchOf)), hasCode("unavailable", /does not answer any more/));
  await server.until(() => server.watchers === 1);
  // Alive: nothing happens for a minute, but PINGs are answered.
  for (let i = 0; i < 15; i++) {
    const answered = relay.answered();
    await clock.advance(4_000);
    await answered;
  }
  assert.equal(server.watchers, 1);
  relay.freeze();
  await clock.advance(15_000);
  await lost;
});

test("SessionPool closes a connection that nobody needs any more", async () => {
  await using server = await startFakeApiServer();
  const clock = new FakeClock();
  await using client = clientOf(server, clock);
  await client.getJson("/api/v1/services");
  const [session] = server.sessions;
  const closed = new Promise<void>((resolve) => session?.once("close", resolve));
  await clock.advance(30_000);
  await closed;
  await client.getJson("/api/v1/services");
  assert.equal(server.connections, 2);
});
