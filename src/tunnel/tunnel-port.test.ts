import assert from "node:assert/strict";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LoopbackListen } from "../../test/support/loopback-listen.ts";
import { isReset } from "../../test/support/tcp-pair.ts";
import { LocalizerError } from "../errors.ts";
import { silentLogger } from "../log.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { isLoopbackAddress } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import { Balancer } from "./balancer.ts";
import { TunnelPort } from "./tunnel-port.ts";

const name = "127.1.2.3:80";

function endpoint(uid: string): Endpoint {
  return { pod: { namespace: "shop", name: `cart-${uid}`, uid }, port: port(8080) };
}

const [a, b, c, d] = [endpoint("a"), endpoint("b"), endpoint("c"), endpoint("d")];

/** A port whose dialer the test answers: with a channel whose far end is kept, unless it throws or waits. */
async function openPort(
  endpoints: readonly Endpoint[],
  onDial: (uid: string, signal: AbortSignal) => unknown = () => {},
) {
  const clock = new FakeClock();
  const listener = new LoopbackListen();
  const balancer = new Balancer();
  const dialled: string[] = [];
  const pods: Duplex[] = [];
  const channels: Duplex[] = [];
  const dial = async (to: Endpoint, signal: AbortSignal) => {
    dialled.push(to.pod.uid);
    await onDial(to.pod.uid, signal);
    const { near, far } = duplexPair();
    far.on("error", () => {});
    pods.push(far);
    channels.push(near);
    return near;
  };
  const components = { clock, dial, listen: listener.listen, log: silentLogger() };
  const address = "127.1.2.3";
  assert.ok(isLoopbackAddress(address));
  const at = { address, port: port(80) };
  const tunnelPort = new TunnelPort(components, at, {
    balancer,
    neighbours: { wanted: new Set(), movedTo: () => undefined },
    after: undefined,
  });
  await tunnelPort.update({ endpoints });
  return {
    ...{ clock, listener, balancer, dialled, pods, channels, tunnelPort },
    connect: () => listener.connect(name),
    /** Resolves when a connection waits for a pod. */
    waiting: () => until(() => tunnelPort.status.connections > pods.length),
    [Symbol.asyncDispose]: () => tunnelPort[Symbol.asyncDispose](),
  };
}

function failing(code: "gone" | "unavailable" | "refused" | "denied", ...uids: string[]) {
  return (uid: string) => {
    if (uids.includes(uid)) throw new LocalizerError(code, `Cannot forward to ${uid}`);
  };
}

test("TunnelPort carries bytes both ways and passes ends on", async () => {
  await using opened = await openPort([a]);
  const app = opened.connect();
  app.end("question");
  await until(() => opened.pods.length === 1);
  const [pod] = opened.pods;
  assert.ok(pod !== undefined);
  assert.equal(String((await once(pod, "data"))[0]), "question");
  await once(pod, "end");
  pod.end("answer");
  assert.equal(String((await once(app, "data"))[0]), "answer");
  await once(app, "close");
  await until(() => opened.tunnelPort.status.connections === 0);
  assert.equal(opened.tunnelPort.status.lastError, undefined);
});

test("TunnelPort chooses the pod when the connection arrives, and leaves open ones where they are", async () => {
  await using opened = await openPort([a]);
  const first = opened.connect();
  await until(() => opened.pods.length === 1);
  await opened.tunnelPort.update({ endpoints: [b] });
  opened.connect();
  await until(() => opened.pods.length === 2);
  assert.deepEqual(opened.dialled, ["a", "b"]);
  opened.pods[0]?.write("still here");
  assert.equal(String((await once(first, "data"))[0]), "still here");
});

test("TunnelPort gives a connection to the pod with the fewest, counting those that are being opened", async () => {
  const never = Promise.withResolvers<void>();
  await using opened = await openPort([a, b], (_uid, signal) => {
    signal.addEventListener("abort", () => never.reject(new LocalizerError("aborted", "Stopped")), { once: true });
    return never.promise;
  });
  opened.balancer.hold(a);
  opened.balancer.hold(a);
  for (let connection = 0; connection < 4; connection++) opened.connect();
  await until(() => opened.dialled.length === 4);
  assert.deepEqual(opened.dialled.toSorted(), ["a", "b", "b", "b"]);
});

test("TunnelPort counts a pod's connection until it is closed", async () => {
  await using opened = await openPort([a]);
  const app = opened.connect();
  await until(() => opened.pods.length === 1);
  assert.equal(opened.balancer.connections("a"), 1);
  app.resetAndDestroy();
  await until(() => opened.balancer.connections("a") === 0);
});

test("TunnelPort tries the next pod when one cannot be reached, unnoticed by the application", async () => {
  for (const code of ["gone", "unavailable", "refused"] as const) {
    let dials = 0;
    await using opened = await openPort([a, b, c], () => {
      if (++dials < 3) throw new LocalizerError(code, "Cannot forward");
    });
    const app = opened.connect();
    app.write("question");
    await until(() => opened.pods.length === 1);
    assert.deepEqual(opened.dialled.toSorted(), ["a", "b", "c"], code);
    const held = opened.dialled.map((uid) => opened.balancer.connections(uid));
    assert.deepEqual(held, [0, 0, 1]);
    const [pod] = opened.pods;
    assert.ok(pod !== undefined);
    assert.equal(String((await once(pod, "data"))[0]), "question");
  }
});

test("TunnelPort tries three pods at most, then resets", async () => {
  await using opened = await openPort([a, b, c, d], failing("unavailable", "a", "b", "c", "d"));
  await isReset(opened.connect());
  assert.equal(opened.dialled.length, 3);
  assert.equal(opened.tunnelPort.status.lastError?.code, "unavailable");
});

test("TunnelPort tries no other pod when the right is missing", async () => {
  await using opened = await openPort([a, b], failing("denied", "a", "b"));
  await isReset(opened.connect());
  assert.deepEqual(opened.dialled, ["a"]);
  assert.equal(opened.tunnelPort.status.lastError?.code, "denied");
});

test("TunnelPort tries the only pod again when the reason may pass, three times at most", async () => {
  let failures = 1;
  await using opened = await openPort([a], () => {
    if (failures-- > 0) throw new LocalizerError("unavailable", "the API server restarts");
  });
  const app = opened.connect();
  await until(() => opened.clock.pending === 1);
  await opened.clock.advance(500);
  await until(() => opened.pods.length === 1);
  assert.deepEqual(opened.dialled, ["a", "a"]);
  app.destroy();

  failures = 3;
  const reset = isReset(opened.connect());
  for (let retry = 0; retry < 2; retry++) {
    await until(() => opened.clock.pending === 1);
    await opened.clock.advance(500);
  }
  await reset;
  assert.equal(opened.dialled.length, 5);
});

test("TunnelPort lets a connection wait for a ready pod", async () => {
  await using opened = await openPort([]);
  const app = opened.connect();
  app.write("question");
  await opened.waiting();
  await opened.clock.advance(4_999);
  await opened.tunnelPort.update({ endpoints: [] });
  await opened.tunnelPort.update({ endpoints: [b] });
  await until(() => opened.pods.length === 1);
  assert.equal(opened.clock.pending, 0);
  const [pod] = opened.pods;
  assert.ok(pod !== undefined);
  assert.equal(String((await once(pod, "data"))[0]), "question");
});

test("TunnelPort resets a connection for which no pod was ready for 5 s", async () => {
  await using opened = await openPort([]);
  const app = opened.connect();
  await opened.waiting();
  await opened.clock.advance(3_000);
  await opened.tunnelPort.update({ endpoints: [] });
  const reset = isReset(app);
  await opened.clock.advance(2_000);
  await reset;
  await until(() => opened.tunnelPort.status.connections === 0);
  assert.equal(opened.clock.pending, 0);
  assert.deepEqual(
    [opened.tunnelPort.status.lastError?.code, opened.tunnelPort.status.lastError?.message],
    ["unavailable", "Cannot connect 127.1.2.3:80: no pod is ready"],
  );
});

test("TunnelPort serves a connection that waited when its listener closed", async () => {
  await using opened = await openPort([]);
  await opened.clock.advance(4_000);
  opened.connect();
  await opened.waiting();
  await opened.clock.advance(1_000);
  assert.deepEqual([opened.tunnelPort.status.state, opened.tunnelPort.status.at], ["refusing", undefined]);
  await until(() => opened.listener.open.length === 0);
  await opened.clock.advance(3_999);
  await opened.tunnelPort.update({ endpoints: [a] });
  await until(() => opened.pods.length === 1);
  assert.deepEqual([opened.tunnelPort.status.state, opened.tunnelPort.status.at?.port], ["listening", 80]);
});

test("TunnelPort waits for another pod when the only one is gone, and says why it was when none comes", async () => {
  await using opened = await openPort([a], failing("gone", "a"));
  const app = opened.connect();
  await until(() => opened.clock.pending === 1);
  const reset = isReset(app);
  await opened.clock.advance(5_000);
  await reset;
  assert.deepEqual(opened.dialled, ["a"]);
  assert.equal(opened.tunnelPort.status.lastError?.message, "Cannot forward to a");
});

test("TunnelPort resets the application when the pod fails, and shows the failure", async () => {
  await using opened = await openPort([a]);
  const app = opened.connect();
  await until(() => opened.pods.length === 1);
  opened.channels[0]?.destroy(new LocalizerError("refused", "Nothing listens in the pod"));
  await isReset(app);
  await until(() => opened.tunnelPort.status.connections === 0);
  assert.equal(opened.tunnelPort.status.lastError?.code, "refused");
});

test("TunnelPort.status shows the pod of the newest connection while it is ready", async () => {
  await using opened = await openPort([a, b]);
  const shown = () => opened.tunnelPort.status.endpoint?.pod.uid;
  assert.equal(shown(), "a");
  opened.connect();
  opened.connect();
  await until(() => opened.pods.length === 2);
  assert.equal(shown(), "b");
  const { port: number, ready, connections, bindError } = opened.tunnelPort.status;
  assert.deepEqual(
    { number, ready, connections, bindError },
    { number: 80, ready: 2, connections: 2, bindError: undefined },
  );
  await opened.tunnelPort.update({ endpoints: [c] });
  assert.equal(shown(), "c");
  await opened.tunnelPort.update({ endpoints: [] });
  assert.equal(shown(), undefined);
});

test("TunnelPort[Symbol.asyncDispose]() resets live and waiting connections and leaves nothing", async () => {
  const opened = await openPort([a]);
  const live = opened.connect();
  await until(() => opened.pods.length === 1);
  await opened.tunnelPort.update({ endpoints: [] });
  const waiting = opened.connect();
  await opened.waiting();
  const resets = Promise.all([isReset(live), isReset(waiting)]);
  await opened.tunnelPort[Symbol.asyncDispose]();
  await resets;
  await opened.tunnelPort[Symbol.asyncDispose]();
  assert.deepEqual(opened.listener.open, []);
  assert.equal(opened.clock.pending, 0);
  assert.equal(opened.tunnelPort.status.connections, 0);
  assert.equal(opened.tunnelPort.status.lastError, undefined);
  assert.equal(opened.channels[0]?.destroyed, true);
});

test("TunnelPort[Symbol.asyncDispose]() does not wait for pods when a dial fails meanwhile", async () => {
  const dialling = Promise.withResolvers<void>();
  const opened = await openPort([a], () => dialling.promise);
  const app = opened.connect();
  await until(() => opened.dialled.length === 1);
  const reset = isReset(app);
  const disposed = opened.tunnelPort[Symbol.asyncDispose]();
  dialling.reject(new LocalizerError("unavailable", "Lost the connection"));
  await disposed;
  await reset;
  assert.equal(opened.clock.pending, 0);
});
