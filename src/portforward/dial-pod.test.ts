import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { refusedText } from "../../test/support/runtime-texts.ts";
import { SpdyRuntime } from "../../test/support/spdy-runtime.ts";
import { httpAnswer, openUpgradeServer, switching, type UpgradeServer } from "../../test/support/upgrade-server.ts";
import { silentLogger } from "../log.ts";
import { port } from "../model/port.ts";
import { podConnector } from "./choose-engine.ts";
import { type DialPod, podDialer } from "./dial-pod.ts";

const pod = { namespace: "shop", name: "cart-0", uid: "u1" };
const endpoint = { pod, port: port(80) };
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

/** A dialer that need not choose. */
function dialerOf({ cluster }: UpgradeServer, clock = new FakeClock()): DialPod {
  return podDialer(podConnector({ cluster, clock, log: silentLogger() }, "post-spdy"));
}

test("podDialer() gives a channel to the pod's port, whose end closes its connection", async () => {
  await using cluster = await openCluster();
  const stream = await dialerOf(cluster.server)(endpoint, never);
  stream.write("question");
  const runtime = cluster.runtime(0);
  const { dataId, errorId, port: asked } = await runtime.takePair();
  assert.equal(asked, "80");
  assert.equal(String(await runtime.takeData(8)), "question");
  const closed = once(runtime.socket, "close");
  runtime.say(dataId, "answer", true);
  runtime.fin(errorId);
  const [answer] = await once(stream, "data");
  assert.equal(String(answer), "answer");
  stream.end();
  await closed;
});

test("podDialer() gives every channel a connection of its own, so that one refusal harms no other", async () => {
  await using cluster = await openCluster();
  const dial = dialerOf(cluster.server);
  const [refused, whole] = [await dial(endpoint, never), await dial(endpoint, never)];
  const first = await cluster.runtime(0).takePair();
  cluster.runtime(0).fin(first.dataId);
  cluster.runtime(0).say(first.errorId, refusedText, true);
  await assert.rejects(once(refused.resume(), "end"), { code: "refused" });
  const second = await cluster.runtime(1).takePair();
  cluster.runtime(1).say(second.dataId, "still here");
  const [answer] = await once(whole, "data");
  assert.equal(String(answer), "still here");
  whole.destroy();
});

test("podDialer() gives up after 10 s without an answer to the upgrade", async () => {
  await using server = await openUpgradeServer(() => {});
  const clock = new FakeClock();
  const dialled = assert.rejects(dialerOf(server, clock)(endpoint, never), {
    code: "timeout",
    message: "Cannot forward to pod shop/cart-0: no answer within 10000 ms",
  });
  const { socket } = await server.first;
  const closed = once(socket.resume(), "close");
  await clock.advance(10_000);
  await dialled;
  await closed;
});

test("podDialer() leaves no timer behind and throws what the upgrade says", async () => {
  const status = JSON.stringify({ kind: "Status", message: 'pods "cart-0" not found', details: { kind: "pods" } });
  await using server = await openUpgradeServer(({ socket }) => void socket.write(httpAnswer("404 Not Found", status)));
  const clock = new FakeClock();
  await assert.rejects(dialerOf(server, clock)(endpoint, never), { code: "gone" });
  assert.equal(clock.pending, 0);
});
