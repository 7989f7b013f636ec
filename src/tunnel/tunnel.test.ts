import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LoopbackListen } from "../../test/support/loopback-listen.ts";
import { LocalizerError } from "../errors.ts";
import { silentLogger } from "../log.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { isLoopbackAddress } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import { Tunnel } from "./tunnel.ts";
import type { TunnelPortSpec } from "./tunnel-components.ts";

const pod = { namespace: "shop", name: "cart-0", uid: "u1" };
const other = { namespace: "shop", name: "cart-1", uid: "u2" };
const taken = new LocalizerError("conflict", "Cannot listen on 127.1.2.3:80: the port is taken by another program");

function spec(number: number, ...pods: readonly Endpoint["pod"][]): TunnelPortSpec {
  return { port: port(number), endpoints: pods.map((ref) => ({ pod: ref, port: port(8000 + (number % 1000)) })) };
}

function makeTunnel() {
  const dialled: string[] = [];
  const listener = new LoopbackListen();
  const dial = async (to: Endpoint) => {
    dialled.push(`${to.pod.name}:${to.port}`);
    return duplexPair().near;
  };
  const address = "127.1.2.3";
  assert.ok(isLoopbackAddress(address));
  const components = { dial, listen: listener.listen, clock: new FakeClock(), log: silentLogger() };
  const tunnel = new Tunnel(components, address);
  return { tunnel, listener, dialled, [Symbol.asyncDispose]: () => tunnel[Symbol.asyncDispose]() };
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
  assert.deepEqual(summary(made.tunnel), ["80 ready=0 conflict", "443 ready=1 open"]);
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
