import assert from "node:assert/strict";
import { get } from "node:http";
import { connect } from "node:http2";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { startSandbox } from "../../test/support/sandbox.ts";
import { systemClock } from "../clock.ts";
import { startSandboxApiServer } from "./api-server.ts";

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

function getOverHttp1(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers: { ...headers } }, async (response) => {
      const body = Buffer.concat(await Array.fromAsync(response));
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
    });
    request.on("error", reject);
  });
}

test("startSandboxApiServer() speaks plain HTTP/1.1, with lists gzipped for who takes that", async () => {
  await using server = await startSandboxApiServer(systemClock, { versions: ["http/1.1"], gzipFromBytes: 1 });
  const url = `${server.origin}/api/v1/namespaces`;
  const plain = await getOverHttp1(url);
  const zipped = await getOverHttp1(url, { "accept-encoding": "gzip" });
  assert.equal(plain.status, 200);
  assert.deepEqual([plain.headers["content-encoding"], zipped.headers["content-encoding"]], [undefined, "gzip"]);
  assert.deepEqual(gunzipSync(zipped.body), plain.body);
  assert.match(plain.body.toString(), /"kind":"NamespaceList".*"name":"default"/);
});

test("startSandboxApiServer() sends a watch's events over HTTP/1.1 as they happen, and ends it in time", async () => {
  const clock = new FakeClock();
  await using server = await startSandboxApiServer(clock, { versions: ["http/1.1"] });
  const place = { resource: server.resource("services"), namespace: "default" };
  const url = `${server.origin}/api/v1/services?watch=1&resourceVersion=${server.store.version}&timeoutSeconds=9`;
  const ended = Promise.withResolvers<string>();
  get(url, (response) => {
    assert.equal(server.watches, 1);
    let text = "";
    response.setEncoding("utf8");
    response.on("data", async (chunk: string) => {
      text += chunk;
      await clock.advance(9_000);
    });
    response.on("end", () => ended.resolve(text));
    server.objects.create(place, { metadata: { name: "cart" } });
  });
  assert.match(await ended.promise, /^\{"type":"ADDED","object":\{.*"name":"cart".*\}\n$/);
  assert.deepEqual([server.watches, clock.pending], [0, 0]);
});

test("startSandboxApiServer() speaks HTTP/2 without TLS, and has no other paths than a real one", async () => {
  await using server = await startSandboxApiServer(systemClock, { versions: ["h2"] });
  const session = connect(server.origin);
  const ask = async (path: string) => {
    const stream = session.request({ ":path": path });
    const head = new Promise<number>((resolve) =>
      stream.on("response", (headers) => resolve(Number(headers[":status"]))),
    );
    const text = Buffer.concat(await Array.fromAsync(stream)).toString();
    return `${await head} ${text}`;
  };
  assert.match(await ask("/version"), /^200 .*"gitVersion":"v1\.\d+\.0\+localizer-sandbox"/);
  assert.equal(await ask("/readyz"), "200 ok");
  assert.equal(await ask("/nosuch"), "404 404 page not found\n");
  assert.match(await ask("/api/v1/namespaces/%zz/services"), /^400 .*"reason":"BadRequest"/);
  session.close();
});

test("startSandboxApiServer() says conflict when the port is taken", async () => {
  await using first = await startSandboxApiServer(systemClock, { versions: ["http/1.1"] });
  const port = Number(new URL(first.origin).port);
  await assert.rejects(startSandboxApiServer(systemClock, { port }), { code: "conflict" });
});

test("a namespace takes with it what is in it, and watches are told", async () => {
  await using t = await startSandbox({ namespaces: ["shop"] });
  const { server } = t;
  const services = server.resource("services");
  server.objects.create({ resource: services, namespace: "shop" }, { metadata: { name: "cart" } });
  const from = server.store.version;
  server.objects.delete({ resource: server.resource("namespaces"), namespace: undefined }, "shop");
  assert.equal(server.store.list(services).length, 0);
  const types = server.store.changesAfter(from)?.map(({ type, resource }) => `${type} ${resource.plural}`);
  assert.deepEqual(types, ["DELETED services", "DELETED namespaces"]);
});

test("a fault that is taken back does not happen", async () => {
  await using t = await startSandbox();
  const client = t.client();
  const fault = t.server.faults.onRequest(() => true, { kind: "failure", code: 500 }, 5);
  await assert.rejects(client.getJson("/version"), { code: "unavailable" });
  fault[Symbol.dispose]();
  await client.getJson("/version");
});

test("a lost answer is one of a request that was done", async () => {
  await using t = await startSandbox();
  t.server.faults.onRequest((call) => call?.verb === "create", { kind: "lost-answer" });
  const path = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
  await assert.rejects(t.client().request({ method: "POST", path, body: { metadata: { name: "a" } } }), {
    code: "unavailable",
  });
  const leases = t.server.store.list(t.server.resource("leases.coordination.k8s.io"));
  assert.deepEqual(
    leases.map(({ metadata }) => metadata.name),
    ["a"],
  );
});
