/** What TunnelPort counts, over loopback connections and channels that the test plays. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { turns, until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LoopbackListen } from "../../test/support/loopback-listen.ts";
import { LocalizerError } from "../errors.ts";
import { silentLogger } from "../log.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { isLoopbackAddress } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import { Balancer } from "./balancer.ts";
import type { PortTraffic } from "./port-traffic.ts";
import { TunnelPort } from "./tunnel-port.ts";

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

function endpoint(uid: string): Endpoint {
  return { pod: { namespace: "shop", name: `cart-${uid}`, uid }, port: port(8080) };
}

/** A port whose pods the test plays; `onDial` may throw or wait. */
async function openPort(uids: readonly string[], onDial: (uid: string) => unknown = () => {}) {
  const clock = new FakeClock();
  const listener = new LoopbackListen();
  const pods: Duplex[] = [];
  const dial = async ({ pod }: Endpoint) => {
    await onDial(pod.uid);
    const { near, far } = duplexPair();
    far.on("error", () => {});
    pods.push(far);
    return near;
  };
  const address = "127.1.2.3";
  assert.ok(isLoopbackAddress(address));
  const tunnelPort = new TunnelPort(
    { clock, dial, listen: listener.listen, log: silentLogger() },
    { address, port: port(80) },
    { balancer: new Balancer(), neighbours: { wanted: new Set(), movedTo: () => undefined }, after: undefined },
  );
  await tunnelPort.update({ endpoints: uids.map(endpoint) });
  return {
    ...{ clock, pods, tunnelPort },
    connect: () => listener.connect("127.1.2.3:80"),
    get traffic(): PortTraffic {
      return tunnelPort.traffic ?? assert.fail("nothing was counted");
    },
    async pod(index: number): Promise<Duplex> {
      await until(() => pods.length > index);
      return pods[index] ?? assert.fail("unreachable");
    },
    [Symbol.asyncDispose]: () => tunnelPort[Symbol.asyncDispose](),
  };
}

/** What the pod's end of the channel reads next, as text, once so much is there. */
async function heard(pod: Duplex, length: number): Promise<string> {
  let text = "";
  while (text.length < length) text += String((await once(pod, "data"))[0]);
  return text;
}

test("TunnelPort has no counters before its first connection", async () => {
  await using opened = await openPort(["a"]);
  assert.deepEqual([opened.tunnelPort.traffic, opened.tunnelPort.status.traffic], [undefined, undefined]);
});

test("TunnelPort's counters keep nothing of a connection that is over, the first one either", async () => {
  await using opened = await openPort(["a"]);
  const useOnce = async () => {
    const app = opened.connect();
    app.write("question");
    const pod = await opened.pod(0);
    await heard(pod, 8);
    app.end();
    pod.end();
    await until(() => opened.traffic.connections === 0);
    opened.pods.length = 0;
    return new WeakRef(pod);
  };
  const channel = await useOnce();
  assert.ok(typeof collect === "function");
  for (let round = 0; round < 100 && channel.deref() !== undefined; round++) {
    // Who has dereferenced it holds it until the turn is over.
    await turns();
    collect();
  }
  assert.equal(channel.deref(), undefined);
});

test("TunnelPort counts the bytes of a connection that is still open, those before the pod's first byte too", async () => {
  await using opened = await openPort(["a"]);
  const app = opened.connect();
  app.write("question");
  const pod = await opened.pod(0);
  await heard(pod, 8);
  const { traffic } = opened;
  assert.deepEqual([traffic.bytesUp, traffic.bytesDown, traffic.connections, traffic.total], [8, 0, 1, 1]);
  pod.write("answer");
  await heard(app, 6);
  app.write("more");
  await heard(pod, 4);
  assert.deepEqual([traffic.bytesUp, traffic.bytesDown], [12, 6]);
  app.end();
  pod.end();
  await until(() => traffic.connections === 0);
  assert.deepEqual([traffic.bytesUp, traffic.bytesDown, traffic.total, traffic.failures], [12, 6, 1, 0]);
  assert.equal(traffic.lastFailure, undefined);
});

test("TunnelPort measures from the accept on when the pod speaks first", async () => {
  await using opened = await openPort(["a"]);
  const app = opened.connect();
  const pod = await opened.pod(0);
  await opened.clock.advance(40);
  pod.write("hello");
  await heard(app, 5);
  const { firstByte } = opened.traffic;
  assert.equal(firstByte.sumMs, 40);
  assert.equal(firstByte.counts[5], 1);
});

test("TunnelPort measures from the caller's first byte on when that comes later than the accept", async () => {
  await using opened = await openPort(["a"]);
  const app = opened.connect();
  const pod = await opened.pod(0);
  // A connection that was opened in advance.
  await opened.clock.advance(60_000);
  app.write("a");
  await heard(pod, 1);
  await opened.clock.advance(7);
  app.write("b");
  await heard(pod, 1);
  await opened.clock.advance(2);
  pod.write("answer");
  await heard(app, 6);
  assert.equal(opened.traffic.firstByte.sumMs, 9);
});

test("TunnelPort measures nothing where the pod says nothing: closed unused, or an upload that only ends", async () => {
  await using opened = await openPort(["a"]);
  const unused = opened.connect();
  const first = await opened.pod(0);
  first.resume();
  await opened.clock.advance(600_000);
  unused.end();
  await once(first, "end");
  first.end();
  await until(() => opened.traffic.connections === 0);
  const upload = opened.connect();
  const second = await opened.pod(1);
  upload.end("bytes");
  second.resume();
  await once(second, "end");
  await opened.clock.advance(5_000);
  second.end();
  const { traffic } = opened;
  await until(() => traffic.connections === 0);
  assert.deepEqual([traffic.total, traffic.failures, traffic.bytesUp], [2, 0, 5]);
  assert.deepEqual([traffic.firstByte.sumMs, traffic.firstByte.counts.some((count) => count > 0)], [0, false]);
});

test("TunnelPort counts a retry for each further pod that is tried, and no failure when one takes it", async () => {
  let tries = 0;
  await using opened = await openPort(["a", "b", "c"], (uid) => {
    if (++tries < 3) throw new LocalizerError("refused", `Cannot forward to ${uid}`);
  });
  const app = opened.connect();
  (await opened.pod(0)).end("hello");
  await heard(app, 5);
  const { traffic } = opened;
  assert.deepEqual([traffic.retries, traffic.failures, traffic.lastFailure], [2, 0, undefined]);
  assert.deepEqual(traffic.pods, new Set(["a", "b", "c"]));
});

test("TunnelPort counts a failure with its pod and its time, and keeps it after a success; none is in the histogram", async () => {
  const error = new LocalizerError("denied", "Cannot forward to cart-a");
  let fails = true;
  await using opened = await openPort(["a"], () => {
    if (fails) throw error;
  });
  const failed = opened.connect();
  await until(() => failed.closed);
  const { traffic, clock } = opened;
  const failure = { error, endpoint: endpoint("a"), atMs: clock.now() };
  assert.deepEqual([traffic.failures, traffic.total, traffic.lastFailure], [1, 1, failure]);
  assert.equal(
    traffic.firstByte.counts.reduce((sum, count) => sum + count, 0),
    0,
  );
  fails = false;
  await clock.advance(10_000);
  const app = opened.connect();
  (await opened.pod(0)).end("hello");
  await heard(app, 5);
  app.end();
  await until(() => traffic.connections === 0);
  assert.equal(opened.tunnelPort.status.lastError, undefined, "`list` shows it no more");
  assert.deepEqual([traffic.failures, traffic.total, traffic.lastFailure], [1, 2, failure]);
});

test("TunnelPort counts a connection that its caller breaks off as no failure", async () => {
  await using opened = await openPort(["a"]);
  const app = opened.connect();
  await opened.pod(0);
  app.resetAndDestroy();
  const { traffic } = opened;
  await until(() => traffic.connections === 0);
  assert.deepEqual([traffic.total, traffic.failures], [1, 0]);
});

test("TunnelPort sees an application that does not read, and what waits for it, until it reads", async () => {
  await using opened = await openPort(["a"]);
  const app = opened.connect();
  const pod = await opened.pod(0);
  pod.write("x".repeat(10));
  await heard(app, 10);
  app.pause();
  const { traffic } = opened;
  assert.deepEqual(traffic.backpressure, { slowReaders: 0, slowPods: 0, bufferedUp: 0, bufferedDown: 0 });
  let said = 10;
  while (traffic.backpressure.slowReaders === 0) {
    said += 65_536;
    await new Promise<void>((resolve) => {
      pod.write(Buffer.alloc(65_536), () => resolve());
      // Past a brake the callback stays away.
      void until(() => traffic.backpressure.slowReaders > 0).then(resolve);
    });
  }
  assert.ok(traffic.backpressure.bufferedDown > 0);
  assert.equal(traffic.backpressure.slowPods, 0);
  pod.end();
  app.resume();
  await once(app, "end");
  assert.equal(traffic.bytesDown, said);
  assert.deepEqual([traffic.backpressure.slowReaders, traffic.backpressure.bufferedDown], [0, 0]);
  app.destroy();
});

test("TunnelPort sees a pod that does not read, before it has answered and after", async () => {
  await using opened = await openPort(["a"]);
  const app = opened.connect();
  const pod = await opened.pod(0);
  // Nobody reads the pod's end.
  app.write(Buffer.alloc(1024 * 1024));
  const { traffic } = opened;
  await until(() => traffic.backpressure.slowPods === 1);
  assert.ok(traffic.backpressure.bufferedUp > 0);
  pod.write("early answer");
  await heard(app, 12);
  await until(() => traffic.backpressure.slowPods === 1);
  pod.resume();
  await until(() => traffic.bytesUp === 1024 * 1024 && traffic.backpressure.bufferedUp === 0);
  assert.equal(traffic.backpressure.slowPods, 0);
});

test("TunnelPort names the pods of open connections as well as those that are ready", async () => {
  await using opened = await openPort(["a"]);
  opened.connect();
  await opened.pod(0);
  await opened.tunnelPort.update({ endpoints: [endpoint("b")] });
  assert.deepEqual(opened.traffic.pods, new Set(["a", "b"]));
});
