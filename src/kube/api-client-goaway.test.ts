import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeApiServer, startFakeApiServer } from "../../test/support/fake-api-server.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { systemClock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { ApiClient } from "./api-client.ts";
import type { SessionPoolOptions } from "./session-pool.ts";
import type { WatchEvent } from "./watch-events.ts";

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

test("request() connects anew after a GOAWAY", async () => {
  await using server = await startFakeApiServer();
  await using client = clientOf(server);
  await client.getJson("/api/v1/services");
  for (const session of server.sessions) session.goaway();
  await server.until(() => true);
  await client.getJson("/api/v1/services");
  await client.getJson("/api/v1/services");
  assert.ok(server.connections <= 2);
});

for (const unit of ["request", "watch"] as const) {
  test(`${unit}() says that the server is shutting down when it does so with its first frame, and tries a few times`, async () => {
    await using server = await startFakeApiServer();
    const clock = new FakeClock();
    await using client = clientOf(server, clock);
    server.onSession = (session) => session.goaway();
    const sentence = /the server is shutting down$/;
    const call = unit === "request" ? client.getJson("/api") : collect(client.watch(watchOf));
    const failed = assert.rejects(call, hasCode("unavailable", sentence));
    for (let wait = 0; wait < 3; wait++) await clock.advance(await clock.asleep());
    await failed;
    assert.equal(server.connections, 5);
    assert.equal(server.requests.length, 0);
  });

  test(`${unit}() gets over servers that shut down with their first frame`, async () => {
    await using server = await startFakeApiServer();
    const clock = new FakeClock();
    await using client = clientOf(server, clock);
    server.onSession = (session) => void (server.connections < 3 && session.goaway());
    const stopping = new AbortController();
    const { signal } = stopping;
    const opened = Promise.withResolvers<void>();
    const call =
      unit === "request"
        ? client.getJson("/api/v1/services")
        : client.watch(watchOf, { signal, onOpen: opened.resolve }).next();
    await clock.advance(await clock.asleep());
    await (unit === "request" ? call : opened.promise);
    assert.equal(server.connections, 3);
    stopping.abort();
    await call.catch(() => {});
  });
}

test("watch() throws timeout when it is not accepted in 30 s", async () => {
  await using server = await startFakeApiServer();
  const clock = new FakeClock();
  await using client = clientOf(server, clock, { session: { pingIntervalMs: 1e9, pingsLost: 2, idleMs: 1e9 } });
  server.onNext(any, () => {});
  const refused = assert.rejects(collect(client.watch(watchOf)), hasCode("timeout", /no answer within 30000 ms/));
  await server.until(() => server.requests.length === 1);
  await clock.advance(30_000);
  await refused;
});
