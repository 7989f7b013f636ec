import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LoopbackListen } from "../../test/support/loopback-listen.ts";
import { LocalizerError } from "../errors.ts";
import { silentLogger } from "../log.ts";
import { isLoopbackAddress } from "../model/loopback.ts";
import { isPort, port } from "../model/port.ts";
import type { Listen } from "../net/listen.ts";
import { Tunnel } from "./tunnel.ts";
import type { TunnelPortSpec } from "./tunnel-components.ts";

const pod = { namespace: "shop", name: "cart-0", uid: "u1" };

/** A tunnel whose low ports move up by 8000, to the next free number that is not wanted; `careless` moves anywhere. */
function shiftingTunnel({ careless = false } = {}) {
  const listener = new LoopbackListen();
  const clock = new FakeClock();
  const listen: Listen = async (at, onConnection, signal, wanted) => {
    for (let number = at.port < 1024 ? at.port + 8000 : at.port; isPort(number); number++) {
      if (number !== at.port && !careless && wanted?.has(number)) continue;
      return await listener.listen({ ...at, port: number }, onConnection, signal);
    }
    throw new LocalizerError("conflict", "Cannot listen");
  };
  const address = "127.1.2.3";
  assert.ok(isLoopbackAddress(address));
  const dial = () => Promise.reject(new LocalizerError("gone", "The pod is gone"));
  const tunnel = new Tunnel({ dial, listen, clock, log: silentLogger() }, address);
  const where = () => tunnel.ports.map((one) => `${one.port}=${one.at?.port}`);
  return { tunnel, clock, where, [Symbol.asyncDispose]: () => tunnel[Symbol.asyncDispose]() };
}

function spec(number: number, isReady = true): TunnelPortSpec {
  return { port: port(number), endpoints: isReady ? [{ pod, port: port(9000) }] : [] };
}

test("Tunnel.update() leaves every number that it wants to the port of that number, in whatever order", async () => {
  for (const numbers of [
    [80, 8080],
    [8080, 80],
  ]) {
    await using made = shiftingTunnel();
    await made.tunnel.update(numbers.map((number) => spec(number)));
    assert.deepEqual(made.where(), ["80=8081", "8080=8080"]);
  }
});

test("Tunnel.update() moves a port away from a number that is wanted later", async () => {
  await using made = shiftingTunnel();
  await made.tunnel.update([spec(80)]);
  assert.deepEqual(made.where(), ["80=8080"]);
  await made.tunnel.update([spec(8080), spec(80)]);
  assert.deepEqual(made.where(), ["80=8081", "8080=8080"]);
});

test("Tunnel.update() moves a port away that is just being opened", async () => {
  await using made = shiftingTunnel();
  const first = made.tunnel.update([spec(80)]);
  await Promise.all([first, made.tunnel.update([spec(80), spec(8080)])]);
  assert.deepEqual(made.where(), ["80=8081", "8080=8080"]);
});

test("Tunnel keeps a wanted number free while its port is closed, also for one that opens again", async () => {
  await using made = shiftingTunnel();
  await made.tunnel.update([spec(80, false), spec(8080, false)]);
  await made.clock.advance(5_000);
  assert.deepEqual(made.where(), ["80=undefined", "8080=undefined"]);
  await made.tunnel.update([spec(80), spec(8080, false)]);
  assert.deepEqual(made.where(), ["80=8081", "8080=undefined"]);
  await made.tunnel.update([spec(80), spec(8080)]);
  assert.deepEqual(made.where(), ["80=8081", "8080=8080"]);
});

test("Tunnel.update() says so when a port of the same service sits on the number", async () => {
  await using made = shiftingTunnel({ careless: true });
  await made.tunnel.update([spec(80)]);
  const message = "Cannot listen on 127.1.2.3:8080: this service's port 80 listens there";
  await assert.rejects(made.tunnel.update([spec(80), spec(8080)]), { code: "conflict", message });
});
