import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LoopbackListen } from "../../test/support/loopback-listen.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import { silentLogger } from "../log.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { isLoopbackAddress } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import { listenHere } from "../net/listen.ts";
import { Tunnel } from "./tunnel.ts";
import type { TunnelComponents, TunnelPortSpec } from "./tunnel-components.ts";

const pod = { namespace: "shop", name: "cart-0", uid: "u1" };
const other = { namespace: "shop", name: "cart-1", uid: "u2" };
const taken = new LocalizerError("conflict", "Cannot listen on 127.1.2.3:80: the port is taken by another program");

function spec(number: number, ...pods: readonly Endpoint["pod"][]): TunnelPortSpec {
  return { port: port(number), endpoints: pods.map((ref) => ({ pod: ref, port: port(8000 + (number % 1000)) })) };
}

function makeTunnel(more: Partial<TunnelComponents> = {}, address = "127.1.2.3") {
  const dialled: string[] = [];
  const listener = new LoopbackListen();
  const dial = async (to: Endpoint) => {
    dialled.push(`${to.pod.name}:${to.port}`);
    return duplexPair().near;
  };
  assert.ok(isLoopbackAddress(address));
  const clock = new FakeClock();
  const components = { dial, listen: listener.listen, clock, log: silentLogger(), ...more };
  const tunnel = new Tunnel(components, address);
  return { tunnel, listener, clock, dialled, [Symbol.asyncDispose]: () => tunnel[Symbol.asyncDispose]() };
}

const summary = ({ ports }: Tunnel) =>
  ports.map(({ port: number, ready, bindError }) => `${number} ready=${ready} ${bindError?.code ?? "open"}`);

test("Tunnel has no listener before update()", async () => {
  await using made = makeTunnel();
  assert.deepEqual([made.listener.open, made.tunnel.ports], [[], []]);
});

test("Tunnel.update() opens every port, shown by number", async () => {
  await using made = makeTunnel();
  await made.tunnel.update([spec(443, pod), spec(80, pod, other), spec(9090)]);
  assert.deepEqual(made.listener.open, ["127.1.2.3:443", "127.1.2.3:80", "127.1.2.3:9090"]);
  assert.deepEqual(summary(made.tunnel), ["80 ready=2 open", "443 ready=1 open", "9090 ready=0 open"]);
});

test("Tunnel.update() keeps listeners and connections of ports that stay, and tells them their endpoints", async () => {
  await using made = makeTunnel();
  await made.tunnel.update([spec(80, pod)]);
  made.listener.connect("127.1.2.3:80");
  await until(() => made.dialled.length === 1);
  await made.tunnel.update([spec(80, other)]);
  await made.tunnel.update([spec(80, other)]);
  assert.deepEqual(made.listener.attempts, ["127.1.2.3:80"]);
  assert.equal(made.tunnel.ports[0]?.connections, 1);
  made.listener.connect("127.1.2.3:80");
  await until(() => made.dialled.length === 2);
  assert.deepEqual(made.dialled, ["cart-0:8080", "cart-1:8080"]);
});

test("Tunnel.update() closes ports that are gone with their connections, and opens new ones", async () => {
  await using made = makeTunnel();
  await made.tunnel.update([spec(80, pod), spec(443, pod)]);
  const app = made.listener.connect("127.1.2.3:80");
  await until(() => made.dialled.length === 1);
  const reset = assert.rejects(once(app.resume(), "end"), { code: "ECONNRESET" });
  await made.tunnel.update([spec(443, pod), spec(8080, pod)]);
  await reset;
  assert.deepEqual(made.listener.open, ["127.1.2.3:443", "127.1.2.3:8080"]);
  await made.tunnel.update([]);
  assert.deepEqual(made.listener.open, []);
});

test("Tunnel.update() shows a port that cannot be bound, opens the others, and tries it again", async () => {
  await using made = makeTunnel();
  const specs = [spec(80, pod), spec(443, pod)];
  made.listener.failures.set(80, taken);
  await assert.rejects(made.tunnel.update(specs), taken);
  await assert.rejects(made.tunnel.update(specs), taken);
  assert.deepEqual(summary(made.tunnel), ["80 ready=1 conflict", "443 ready=1 open"]);
  made.listener.failures.clear();
  await made.tunnel.update(specs);
  assert.deepEqual(summary(made.tunnel), ["80 ready=1 open", "443 ready=1 open"]);
  const attempts = made.listener.attempts.filter((name) => name.endsWith(":80"));
  assert.equal(attempts.length, 3);
});

test("Tunnel.update() forgets the failure of a port that is no longer asked for", async () => {
  await using made = makeTunnel();
  made.listener.failures.set(80, taken);
  await assert.rejects(made.tunnel.update([spec(80, pod), spec(443, pod)]), taken);
  await made.tunnel.update([spec(443, pod)]);
  assert.deepEqual(summary(made.tunnel), ["443 ready=1 open"]);
});

test("Tunnel.update() says who holds a taken port when that can be known", async () => {
  for (const [whoHolds, sentence] of [
    [async () => 'taken by "node" (process 4711)', 'Cannot listen on 127.1.2.3:80: taken by "node" (process 4711)'],
    [async () => undefined, taken.message],
    [() => Promise.reject(new Error("no /proc")), taken.message],
  ] as const) {
    await using made = makeTunnel({ whoHolds });
    made.listener.failures.set(80, taken);
    await assert.rejects(made.tunnel.update([spec(80, pod)]), { code: "conflict", message: sentence });
    assert.equal(made.tunnel.ports[0]?.bindError?.message, sentence);
  }
});

test("Tunnel.update() asks nobody who holds a port that may not be bound", async () => {
  await using made = makeTunnel({ whoHolds: async () => assert.fail("asked") });
  made.listener.failures.set(80, new LocalizerError("denied", "Cannot listen on 127.1.2.3:80"));
  await assert.rejects(made.tunnel.update([spec(80, pod)]), { code: "denied" });
});

test("Tunnel.update() may be called while an earlier call is under way: the latest wins, nothing is bound twice", async () => {
  await using made = makeTunnel();
  const { tunnel, listener } = made;
  const updates = [[spec(80, pod)], [], [spec(80, other), spec(443)], [], [spec(80, pod)]];
  const results = await Promise.allSettled(updates.map((specs) => tunnel.update(specs)));
  const codes = results.map((result) => (result.status === "rejected" ? codeOf(result.reason) : "done"));
  assert.deepEqual(codes, ["aborted", "done", "aborted", "done", "done"]);
  assert.deepEqual(listener.open, ["127.1.2.3:80"]);
  assert.deepEqual(summary(tunnel), ["80 ready=1 open"]);
});

test("Tunnel.update() throws `aborted` after the tunnel was disposed, and leaves no listener", async () => {
  const { tunnel, listener } = makeTunnel();
  const update = tunnel.update([spec(80, pod)]);
  await Promise.allSettled([update, tunnel[Symbol.asyncDispose]()]);
  await assert.rejects(tunnel.update([spec(80, pod)]), { code: "aborted" });
  assert.deepEqual([listener.open, tunnel.ports], [[], []]);
});

test("Tunnel shows by port whether a pod is ready, and closes only the listener of the one without", async () => {
  await using made = makeTunnel();
  const states = () => made.tunnel.ports.map(({ port: number, state, at }) => `${number} ${state} ${at?.port ?? "-"}`);
  await made.tunnel.update([spec(80, pod), spec(443)]);
  assert.deepEqual(states(), ["80 listening 80", "443 waiting 443"]);
  await made.clock.advance(5_000);
  await until(() => made.listener.open.length === 1);
  assert.deepEqual(states(), ["80 listening 80", "443 refusing -"]);
  await made.tunnel.update([spec(80), spec(443, pod)]);
  assert.deepEqual(states(), ["80 waiting 80", "443 listening 443"]);
});

test("Tunnel refuses connections at once while no pod is ready, and takes them again with the first one", async () => {
  await using made = makeTunnel({ listen: listenHere }, "127.0.0.1");
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const at = free.address();
  assert.ok(at !== null && typeof at === "object");
  free.close();
  await once(free, "close");
  const dial = () => connect({ host: "127.0.0.1", port: at.port });
  await made.tunnel.update([spec(at.port)]);
  await made.clock.advance(5_000);
  await until(() => made.tunnel.ports[0]?.at === undefined);
  await assert.rejects(once(dial(), "connect"), { code: "ECONNREFUSED" });
  await made.tunnel.update([spec(at.port, pod)]);
  const app = dial();
  await once(app, "connect");
  await until(() => made.dialled.length === 1);
  app.destroy();
});

test("Tunnel.update() ends with the signal and shows no failure for it", async () => {
  await using made = makeTunnel();
  await assert.rejects(made.tunnel.update([spec(80, pod)], AbortSignal.abort()), { code: "aborted" });
  assert.deepEqual([made.tunnel.ports, made.listener.open], [[], []]);
});

test("Tunnel spreads the connections of all its ports over the pods together", async () => {
  await using made = makeTunnel();
  await made.tunnel.update([spec(80, pod, other), spec(443, pod, other)]);
  for (const name of ["127.1.2.3:80", "127.1.2.3:443", "127.1.2.3:80", "127.1.2.3:443"]) {
    const before = made.dialled.length;
    made.listener.connect(name);
    await until(() => made.dialled.length > before);
  }
  const pods = made.dialled.map((name) => name.split(":")[0]);
  assert.deepEqual(pods.toSorted(), ["cart-0", "cart-0", "cart-1", "cart-1"]);
});

test("Tunnel[Symbol.asyncDispose]() closes all ports and resets all connections", async () => {
  const made = makeTunnel();
  await made.tunnel.update([spec(80, pod), spec(443, pod)]);
  const apps = ["127.1.2.3:80", "127.1.2.3:443"].map((name) => made.listener.connect(name));
  await until(() => made.dialled.length === 2);
  const resets = apps.map((app) => assert.rejects(once(app.resume(), "end"), { code: "ECONNRESET" }));
  await made.tunnel[Symbol.asyncDispose]();
  await Promise.all(resets);
  await made.tunnel[Symbol.asyncDispose]();
  assert.deepEqual([made.listener.open, made.tunnel.ports], [[], []]);
});
