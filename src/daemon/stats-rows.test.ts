import assert from "node:assert/strict";
import { test } from "node:test";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { tcpPair } from "../../test/support/tcp-pair.ts";
import type { ServedState } from "../controller/served-service.ts";
import { LocalizerError } from "../errors.ts";
import { hostName } from "../model/host-name.ts";
import { isLoopbackAddress, type LoopbackAddress } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import { serviceKey } from "../model/service-key.ts";
import type { PodPoolStats } from "../portforward/pool-members.ts";
import { boundsMs } from "../tunnel/histogram.ts";
import { type CountedConnection, PortTraffic } from "../tunnel/port-traffic.ts";
import type { TunnelPortStatus } from "../tunnel/tunnel-components.ts";
import { serviceStats } from "./stats-rows.ts";

const cart = { pod: { namespace: "shop", name: "cart-0", uid: "u1" }, port: port(8080) };
const web = { pod: { namespace: "shop", name: "web-0", uid: "u2" }, port: port(8080) };
const counts = { connections: 2, dialling: 0, waiting: 0, free: 1, streams: 1, lingering: 0, paused: 0, backlogged: 0 };
const pools = Map.groupBy<string, PodPoolStats>(
  [
    { pod: cart.pod, ...counts, rttMs: 1.5 },
    { pod: web.pod, ...counts, rttMs: undefined },
  ],
  ({ pod }) => pod.uid,
);
const ways = { pools, engineIn: (namespace: string) => (namespace === "shop" ? ("get-spdy" as const) : undefined) };

const address = loopback("127.1.2.3");
const names = { names: [hostName("cart.shop.svc")], skipped: [] };

function loopback(text: string): LoopbackAddress {
  assert.ok(isLoopbackAddress(text));
  return text;
}

/** The pod says a byte. */
async function answer(connection: CountedConnection): Promise<void> {
  const { near, far } = duplexPair();
  far.write("a");
  connection.reached(near);
  near.read(0);
  await turns(1);
  connection.answered();
  near.read();
}

function status(number: number, traffic: PortTraffic | undefined): TunnelPortStatus {
  return {
    ...({ port: port(number), state: "listening", at: undefined, bindError: undefined, endpoint: undefined } as const),
    ...{ ready: 0, connections: 0, lastError: undefined, traffic },
  };
}

function served(...ports: readonly TunnelPortStatus[]): ServedState {
  return { key: serviceKey("shop", "cart"), address, ports, names, notice: undefined, pods: [] };
}

test("serviceStats() is undefined for a service that never had a connection", () => {
  assert.equal(serviceStats(served(status(80, undefined)), ways), undefined);
});

test("serviceStats() tells the ports that were used, those of its pods too, and the pools of its own pods", async () => {
  await using pair = await tcpPair();
  const clock = new FakeClock();
  const traffic = new PortTraffic(clock, { endpoints: [cart] });
  using connection = traffic.accept(pair.local);
  connection.tries(cart);
  connection.said(10);
  connection.tries(cart);
  await clock.advance(30);
  await answer(connection);
  traffic.bytesDown += 20;
  connection.failed(new LocalizerError("refused", "Nothing listens there"));
  const ofPod = new PortTraffic(clock, { endpoints: [] });
  ofPod.accept(pair.local)[Symbol.dispose]();
  const pods = [{ hostname: "cart-0", address, ports: [status(81, ofPod), status(82, undefined)], names }];
  const expected = {
    ...{ connections: 1, connectionsTotal: 1, bytesUp: 10, bytesDown: 20, retries: 1, failures: 1 },
    connectMs: { bounds: boundsMs, counts: [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], sum: 30 },
    lastFailure: { message: "Nothing listens there", code: "refused", pod: "cart-0", timeMs: clock.now() },
    ...{ slowReaders: 0, slowPods: 0, bufferedUp: 0, bufferedDown: 0 },
  };
  const none = {
    ...{ connections: 0, connectionsTotal: 1, bytesUp: 0, bytesDown: 0, retries: 0, failures: 0 },
    connectMs: { bounds: boundsMs, counts: boundsMs.map(() => 0).concat(0), sum: 0 },
    ...{ lastFailure: undefined, slowReaders: 0, slowPods: 0, bufferedUp: 0, bufferedDown: 0 },
  };
  assert.deepEqual(serviceStats({ ...served(status(80, traffic), status(443, undefined)), pods }, ways), {
    ...{ namespace: "shop", name: "cart", engine: "get-spdy" },
    ports: [
      { port: 80, hostname: "", ...expected },
      { port: 81, hostname: "cart-0", ...none },
    ],
    pools: [{ pod: "cart-0", uid: "u1", ...counts, rttMs: 1.5 }],
  });
});

test("serviceStats() gives figures that do not change afterwards", async () => {
  await using pair = await tcpPair();
  const clock = new FakeClock();
  const traffic = new PortTraffic(clock, { endpoints: [] });
  using connection = traffic.accept(pair.local);
  const before = serviceStats(served(status(80, traffic)), ways);
  const copy = structuredClone(before);
  connection.said(1);
  await answer(connection);
  assert.deepEqual(before, copy);
  assert.equal(before?.engine, "get-spdy");
});
