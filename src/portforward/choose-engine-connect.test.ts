/** What PodConnector.connect() and probe() promise where nothing has to be chosen. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { SpdyRuntime } from "../../test/support/spdy-runtime.ts";
import { httpAnswer, openUpgradeServer, switching } from "../../test/support/upgrade-server.ts";
import type { Credential } from "../kube/credentials.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { silentLogger } from "../log.ts";
import { port } from "../model/port.ts";
import { type PodConnector, podConnector } from "./choose-engine.ts";

const pod = { namespace: "shop", name: "cart-0", uid: "u1" };
const { signal: never } = new AbortController();

/** An API server that lets every upgrade pass, and the runtimes behind it. */
async function openCluster() {
  const runtimes: SpdyRuntime[] = [];
  const server = await openUpgradeServer(({ socket }) => {
    socket.write(switching);
    runtimes.push(new SpdyRuntime(socket));
  });
  const runtime = (index: number) => {
    const found = runtimes[index];
    assert.ok(found !== undefined, `there are ${runtimes.length} connections`);
    return found;
  };
  return { server, runtime, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Need not choose. */
function connectorTo(cluster: Cluster, clock = new FakeClock()): PodConnector {
  return podConnector({ cluster, clock, log: silentLogger(), version: "1.2.3" }, "post-spdy");
}

test("PodConnector.connect() gives a connection on which ports of the pod can be reached", async () => {
  await using cluster = await openCluster();
  await using connection = await connectorTo(cluster.server.cluster).connect(pod, never);
  const stream = connection.openStream({ pod, port: port(80) });
  stream.write("question");
  const runtime = cluster.runtime(0);
  const { dataId, port: asked } = await runtime.takePair();
  assert.equal(asked, "80");
  assert.match((await cluster.server.first).head, /^user-agent: localizer\/1\.2\.3\r$/im);
  assert.equal(String(await runtime.takeData(8)), "question");
  runtime.say(dataId, "answer");
  const [answer] = await once(stream, "data");
  assert.equal(String(answer), "answer");
});

test("PodConnector.connect() gives up after 10 s without an answer to the upgrade", async () => {
  await using server = await openUpgradeServer(() => {});
  const clock = new FakeClock();
  const dialled = assert.rejects(connectorTo(server.cluster, clock).connect(pod, never), {
    code: "timeout",
    message: "Cannot forward to pod shop/cart-0: no answer within 10000 ms",
  });
  const { socket } = await server.first;
  const closed = once(socket.resume(), "close");
  await clock.advance(10_000);
  await dialled;
  await closed;
});

test("PodConnector.connect() waits for somebody who logs in for longer than an upgrade may take", async () => {
  await using cluster = await openCluster();
  const clock = new FakeClock();
  const login = Promise.withResolvers<Credential>();
  const credentials = { current: () => login.promise, rejected: () => false };
  const connected = connectorTo({ ...cluster.server.cluster, credentials }, clock).connect(pod, never);
  await clock.advance(60_000);
  login.resolve({ headers: {} });
  await using _connection = await connected;
});

test("PodConnector.connect() leaves no timer behind and throws what the upgrade says", async () => {
  await using server = await openUpgradeServer(
    ({ socket }) => void socket.write(httpAnswer("403 Forbidden", "no right")),
  );
  const clock = new FakeClock();
  await assert.rejects(connectorTo(server.cluster, clock).connect(pod, never), { code: "denied" });
  assert.equal(clock.pending, 0);
});

test("PodConnector.probe() upgrades, opens no stream and closes the connection", async () => {
  await using cluster = await openCluster();
  await connectorTo(cluster.server.cluster).probe(pod, never);
  const runtime = cluster.runtime(0);
  if (!runtime.socket.closed) await once(runtime.socket, "close");
  assert.deepEqual(runtime.frames, []);
});
