/**
 * Memory has a ceiling: 200 applications that never read, while pods send to each at full speed. The sender is a process of
 * its own; what is measured is this one, which holds localizer's part and the sockets of the applications.
 */
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { systemClock as clock } from "../../src/clock.ts";
import { staticCredentials } from "../../src/kube/credentials.ts";
import { silentLogger } from "../../src/log.ts";
import { isLoopbackAddress } from "../../src/model/loopback.ts";
import { port } from "../../src/model/port.ts";
import { podConnector } from "../../src/portforward/choose-engine.ts";
import { openPodDialer } from "../../src/portforward/pod-dialer.ts";
import type { PoolOptions } from "../../src/portforward/pool-options.ts";
import { Tunnel } from "../../src/tunnel/tunnel.ts";
import type { FloodReport } from "../support/flood-server.ts";
import { LoopbackListen } from "../support/loopback-listen.ts";

const receivers = 200;

/** Buffers of a stuck receiver, its part of a connection included, in KiB: what 64 KiB at each joint come to. */
const bufferCeilingKiB = 512;

/** All that the process may grow by, at any moment of the flood, in MiB: buffers, what is not collected yet, and the heap. */
const memoryCeilingMiB = 200;

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");
const base = memory();

/** How connections are used: enough pods for some each, or 25 streams on each of 8. */
const uses: Readonly<Record<"exclusive" | "shared", { readonly pods: number; readonly pool: Partial<PoolOptions> }>> = {
  exclusive: { pods: receivers / 8, pool: { spareMs: 0 } },
  shared: { pods: 1, pool: { spareMs: 0, connectionsPerPod: 8, streamsPerConnection: 32 } },
};

for (const engine of ["post-spdy", "websocket"] as const) {
  for (const use of ["exclusive", "shared"] as const) {
    test(`${receivers} stuck receivers on ${use} connections by ${engine} stay under ${memoryCeilingMiB} MiB`, async (context) => {
      const { pods, pool } = uses[use];
      await using stack = new AsyncDisposableStack();
      const flood = stack.use(await startFlood());
      const cluster = {
        ...{ contextName: "test", clusterName: "test", userName: "test", namespace: undefined },
        server: new URL(`http://127.0.0.1:${flood.port}`),
        ...{ tls: { rejectUnauthorized: true }, credentials: staticCredentials() },
      };
      const connector = stack.use(podConnector({ cluster, clock, log: silentLogger() }, engine));
      const connect = (of: Parameters<typeof connector.connect>[0], signal: AbortSignal) =>
        connector.connect(of, signal);
      const dialer = stack.use(openPodDialer({ connect, clock }, pool));
      const listener = new LoopbackListen();
      const address = "127.1.2.3";
      assert.ok(isLoopbackAddress(address));
      const parts = { dial: dialer.dial, listen: listener.listen, clock, log: silentLogger() };
      const tunnel = stack.use(new Tunnel(parts, address));
      const endpoints = Array.from({ length: pods }, (_, index) => ({
        pod: { namespace: "shop", name: `cart-${index}`, uid: `u${index}` },
        port: port(80),
      }));
      await tunnel.update([{ port: port(80), endpoints }]);

      const apps: Socket[] = [];
      stack.defer(() => {
        for (const app of apps) app.destroy();
      });
      while (apps.length < receivers) apps.push(listener.connect(`${address}:80`));
      const opened = await flood.until(({ pairs }) => pairs === receivers);
      assert.equal(opened.connections, use === "shared" ? 8 : receivers);
      for (const app of apps) app.write("go");
      await flood.until(({ bytesSent }) => bytesSent > 0);
      let peak = 0;
      const { bytesSent } = await flood.stands(() => {
        peak = Math.max(peak, process.memoryUsage.rss());
      });
      const after = memory();
      const grown = Math.round((Math.max(peak, after.rss) - base.rss) / 2 ** 20);
      const eachKiB = Math.round((after.external - base.external) / receivers / 1024);
      context.diagnostic(
        `RSS grew by ${grown} MiB at most, ${Math.round((after.rss - base.rss) / 2 ** 20)} at the end; ` +
          `${eachKiB} KiB of buffers each; ${Math.round(bytesSent / 2 ** 20)} MiB were sent`,
      );
      assert.ok(bytesSent > receivers * 100_000, `only ${bytesSent} bytes were sent`);
      assert.ok(eachKiB > 64 && eachKiB <= bufferCeilingKiB, `${eachKiB} KiB of buffers each`);
      assert.ok(grown <= memoryCeilingMiB, `the process grew by ${grown} MiB`);
      assert.ok(apps.every(({ errored, closed }) => errored === null && !closed));
    });
  }
}

/** The sender. */
async function startFlood() {
  const child = fork(join(import.meta.dirname, "../support/flood-server.ts"), {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const first = await report(child);
  const until = async (holds: (report: FloodReport) => boolean): Promise<FloodReport> => {
    for (;;) {
      const now = await report(child);
      if (holds(now)) return now;
    }
  };
  return {
    port: first.port,
    until,
    /** Resolves when nothing more was taken from it for a second. */
    stands: async (look: () => void): Promise<FloodReport> => {
      let last = -1;
      let same = 0;
      return await until(({ bytesSent }) => {
        look();
        same = bytesSent === last ? same + 1 : 0;
        last = bytesSent;
        return same >= 10;
      });
    },
    async [Symbol.asyncDispose]() {
      child.disconnect();
      await once(child, "exit");
    },
  };
}

async function report(child: ChildProcess): Promise<FloodReport> {
  const [message] = await once(child, "message");
  return message;
}

function memory(): NodeJS.MemoryUsage {
  assert.ok(typeof collect === "function");
  collect();
  return process.memoryUsage();
}
