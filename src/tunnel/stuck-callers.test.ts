import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LoopbackListen } from "../../test/support/loopback-listen.ts";
import { tcpPair } from "../../test/support/tcp-pair.ts";
import { silentLogger } from "../log.ts";
import { isLoopbackAddress } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import { Balancer } from "./balancer.ts";
import { StuckCallers } from "./stuck-callers.ts";
import { TunnelPort } from "./tunnel-port.ts";

test("StuckCallers aborts a paused connection whose caller has broken off, after 5 to 10 s", async () => {
  const clock = new FakeClock();
  const asked: unknown[] = [];
  const callers = new StuckCallers(clock, async (socket) => {
    asked.push(socket);
    return true;
  });
  await using pair = await tcpPair();
  const stop = new AbortController();
  using _watch = callers.watch(pair.local, stop);
  await clock.advance(5_000);
  assert.equal(stop.signal.aborted, false, "it may have been read until just now");
  await clock.advance(5_000);
  assert.deepEqual([asked, stop.signal.aborted], [[pair.local], true]);
});

test("StuckCallers asks for nobody who is read, or was since the last look", async () => {
  const clock = new FakeClock();
  let asked = 0;
  const callers = new StuckCallers(clock, async () => {
    asked++;
    return true;
  });
  await using flowing = await tcpPair();
  await using slow = await tcpPair();
  using _flowing = callers.watch(flowing.local, new AbortController());
  using _slow = callers.watch(slow.local, new AbortController());
  flowing.local.resume();
  for (let look = 0; look < 5; look++) {
    slow.app.write("a little");
    await once(slow.local.resume(), "data");
    slow.local.pause();
    await clock.advance(5_000);
  }
  assert.equal(asked, 0);
});

test("StuckCallers leaves who lives alone, and no timer when the last has gone", async () => {
  const clock = new FakeClock();
  const callers = new StuckCallers(clock, async () => false);
  await using pair = await tcpPair();
  const stop = new AbortController();
  const watch = callers.watch(pair.local, stop);
  await clock.advance(60_000);
  assert.deepEqual([stop.signal.aborted, clock.pending], [false, 1]);
  watch[Symbol.dispose]();
  assert.equal(clock.pending, 0);
});

test("TunnelPort ends a connection whose caller has broken off while the pod reads nothing", async () => {
  const clock = new FakeClock();
  const listener = new LoopbackListen();
  const { near, far } = duplexPair();
  far.on("error", () => {});
  let isGone = false;
  const address = "127.1.2.3";
  assert.ok(isLoopbackAddress(address));
  await using tunnelPort = new TunnelPort(
    { clock, dial: async () => near, listen: listener.listen, log: silentLogger(), isReset: async () => isGone },
    { address, port: port(80) },
    { balancer: new Balancer(), neighbours: { wanted: new Set(), movedTo: () => undefined }, after: undefined },
  );
  const pod = { namespace: "shop", name: "cart-0", uid: "a" };
  await tunnelPort.update({ endpoints: [{ pod, port: port(8080) }] });
  const app = listener.connect(`${address}:80`);
  app.on("error", () => {});
  // More than the pod's side, which is never read, takes.
  app.write(Buffer.alloc(4 * 1024 * 1024));
  await until(() => near.writableNeedDrain);
  await clock.advance(60_000);
  assert.equal(tunnelPort.status.connections, 1);
  isGone = true;
  await clock.advance(5_000);
  await until(() => tunnelPort.status.connections === 0);
  assert.equal(near.destroyed, true);
  app.destroy();
});
