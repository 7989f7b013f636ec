import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { SpdyRuntime } from "../../test/support/spdy-runtime.ts";
import { httpAnswer, openUpgradeServer, switching } from "../../test/support/upgrade-server.ts";
import type { Credential } from "../kube/credentials.ts";
import { port } from "../model/port.ts";
import { connectPod, probePod } from "./dial-pod.ts";

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

test("connectPod() gives a connection on which ports of the pod can be reached", async () => {
  await using cluster = await openCluster();
  await using connection = await connectPod(cluster.server.cluster, pod, { clock: new FakeClock(), signal: never });
  const stream = connection.openStream({ pod, port: port(80) });
  stream.write("question");
  const runtime = cluster.runtime(0);
  const { dataId, port: asked } = await runtime.takePair();
  assert.equal(asked, "80");
  assert.equal(String(await runtime.takeData(8)), "question");
  runtime.say(dataId, "answer");
  const [answer] = await once(stream, "data");
  assert.equal(String(answer), "answer");
});

test("connectPod() gives up after 10 s without an answer to the upgrade", async () => {
  await using server = await openUpgradeServer(() => {});
  const clock = new FakeClock();
  const dialled = assert.rejects(connectPod(server.cluster, pod, { clock, signal: never }), {
    code: "timeout",
    message: "Cannot forward to pod shop/cart-0: no answer within 10000 ms",
  });
  const { socket } = await server.first;
  const closed = once(socket.resume(), "close");
  await clock.advance(10_000);
  await dialled;
  await closed;
});

test("connectPod() waits for somebody who logs in for longer than an upgrade may take", async () => {
  await using cluster = await openCluster();
  const clock = new FakeClock();
  const login = Promise.withResolvers<Credential>();
  const credentials = { current: () => login.promise, rejected: () => false };
  const connected = connectPod({ ...cluster.server.cluster, credentials }, pod, { clock, signal: never });
  await clock.advance(60_000);
  login.resolve({ headers: {} });
  await using _connection = await connected;
});

test("connectPod() leaves no timer behind and throws what the upgrade says", async () => {
  await using server = await openUpgradeServer(
    ({ socket }) => void socket.write(httpAnswer("403 Forbidden", "no right")),
  );
  const clock = new FakeClock();
  await assert.rejects(connectPod(server.cluster, pod, { clock, signal: never }), { code: "denied" });
  assert.equal(clock.pending, 0);
});

test("probePod() upgrades, opens no stream and closes the connection", async () => {
  await using cluster = await openCluster();
  await probePod(cluster.server.cluster, new FakeClock(), pod, never);
  const runtime = cluster.runtime(0);
  if (!runtime.socket.closed) await once(runtime.socket, "close");
  assert.deepEqual(runtime.frames, []);
});
