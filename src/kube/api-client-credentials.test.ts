import assert from "node:assert/strict";
import { test } from "node:test";
import { makeCertificate, refuse, startFakeApiServer } from "../../test/support/fake-api-server.ts";
import { startHttp1Server } from "../../test/support/http1-server.ts";
import { systemClock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { ApiClient } from "./api-client.ts";
import type { Credential, Credentials } from "./credentials.ts";
import type { Cluster } from "./kubeconfig.ts";

const any = () => true;
const watchOf = "/api/v1/services?watch=1&resourceVersion=0";
const [first, second] = await Promise.all([makeCertificate(), makeCertificate()]);

/** Credentials that count what is asked of them: "Bearer 0", and one more after each refusal that is not the last. */
function renewing(renewals: number, certificates: readonly NonNullable<Credential["certificate"]>[] = []) {
  const refused: Credential[] = [];
  let asked = 0;
  const made: Credential[] = Array.from({ length: renewals + 1 }, (_, i) => {
    const certificate = certificates[i];
    return { headers: { authorization: `Bearer ${i}` }, ...(certificate === undefined ? {} : { certificate }) };
  });
  const credentials: Credentials = {
    async current() {
      asked++;
      const credential = made[Math.min(refused.length, renewals)];
      assert.ok(credential !== undefined);
      return credential;
    },
    rejected(credential) {
      refused.push(credential);
      return refused.length <= renewals;
    },
  };
  return { credentials, refused, made, asked: () => asked };
}

function clientOf(cluster: Cluster): ApiClient {
  return new ApiClient({ cluster, clock: systemClock }, { version: "0" });
}

for (const method of ["GET", "POST", "PATCH", "DELETE"] as const) {
  test(`request() sends a ${method} once more with a renewed credential after a 401`, async () => {
    await using server = await startFakeApiServer();
    const source = renewing(1);
    await using client = clientOf(server.cluster({ credentials: source.credentials }));
    server.onNext(any, refuse(401, "Unauthorized"));
    const body = method === "GET" ? undefined : { a: 1 };
    await client.request({ method, path: "/api/v1/services", body });
    const sent = server.requests.map(({ headers, body: text }) => [headers.authorization, text]);
    const text = body === undefined ? "" : '{"a":1}';
    assert.deepEqual(sent, [
      ["Bearer 0", text],
      ["Bearer 1", text],
    ]);
    assert.deepEqual(source.refused, [source.made[0]]);
  });
}

test("request() throws unauthenticated when the credential cannot be renewed, or the renewed one is refused too", async () => {
  for (const [renewals, requests] of [
    [0, 1],
    [5, 2],
  ] as const) {
    await using server = await startFakeApiServer();
    await using client = clientOf(server.cluster({ credentials: renewing(renewals).credentials }));
    for (let i = 0; i < 2; i++) server.onNext(any, refuse(401, "Unauthorized"));
    await assert.rejects(client.getJson("/api"), { code: "unauthenticated", message: "Cannot get /api: Unauthorized" });
    assert.equal(server.requests.length, requests);
  }
});

test("request() asks for the credential each time, and passes on why there is none", async () => {
  await using server = await startFakeApiServer();
  const source = renewing(0);
  await using client = clientOf(server.cluster({ credentials: source.credentials }));
  await client.getJson("/api");
  await client.getJson("/api");
  assert.equal(source.asked(), 2);
  const none = new LocalizerError("unauthenticated", "Cannot get a credential: log in");
  const credentials = { current: () => Promise.reject(none), rejected: () => true };
  await using other = clientOf(server.cluster({ credentials }));
  await assert.rejects(other.getJson("/api"), none);
});

test("watch() starts once more with a renewed credential after a 401", async () => {
  await using server = await startFakeApiServer();
  await using client = clientOf(server.cluster({ credentials: renewing(1).credentials }));
  server.onNext(any, refuse(401, "Unauthorized"));
  const opened = Promise.withResolvers<void>();
  const stopping = new AbortController();
  const watch = client.watch(watchOf, { onOpen: opened.resolve, signal: stopping.signal }).next();
  await opened.promise;
  assert.deepEqual(
    server.requests.map(({ headers }) => headers.authorization),
    ["Bearer 0", "Bearer 1"],
  );
  stopping.abort();
  await assert.rejects(watch, { code: "aborted" });
});

test("request() and watch() take a new HTTP/2 connection for a new certificate; what runs on the old one goes on", async () => {
  await using server = await startFakeApiServer();
  const source = renewing(1, [first, second]);
  await using client = clientOf(server.cluster({ credentials: source.credentials }));
  const watch = client.watch(watchOf);
  const event = watch.next();
  await server.until(() => server.watchers === 1);
  await client.getJson("/api/v1/services");
  await client.getJson("/api/v1/services");
  assert.equal(server.connections, 2);
  server.onNext(any, refuse(401, "Unauthorized"));
  await client.getJson("/api/v1/services");
  assert.equal(server.connections, 3);
  server.say('{"type":"ADDED","object":{}}\n');
  assert.equal((await event).done, false);
  const another = client.watch(watchOf).next();
  await server.until(() => server.watchers === 2);
  assert.equal(server.connections, 4);
  server.endWatches();
  assert.equal((await watch.next()).done, true);
  assert.equal((await another).done, true);
});

test("request() over HTTP/1.1 takes a new connection for a new certificate, and none for the same one read again", async () => {
  const tls = await makeCertificate();
  await using server = await startHttp1Server(({ response }) => void response.end("{}"), { tls });
  let certificate = first;
  const credentials = { current: async () => ({ headers: {}, certificate }), rejected: () => false };
  await using client = clientOf(server.cluster({ credentials }));
  for (const next of [first, { ...first }, second, second]) {
    certificate = next;
    await client.getJson("/api");
  }
  assert.equal(server.connections(), 2);
});
