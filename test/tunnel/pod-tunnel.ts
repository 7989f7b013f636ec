/** The whole way of a connection on the real cluster, for suites: a tunnel, the pool, one engine, one pod of the test application. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { systemClock as clock } from "../../src/clock.ts";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { silentLogger } from "../../src/log.ts";
import type { PodRef } from "../../src/model/endpoint.ts";
import type { EngineName } from "../../src/model/engine-name.ts";
import { isLoopbackAddress } from "../../src/model/loopback.ts";
import { port } from "../../src/model/port.ts";
import { listenHere } from "../../src/net/listen.ts";
import { localEnds } from "../../src/net/tcp-table.ts";
import { podConnector } from "../../src/portforward/choose-engine.ts";
import { openPodDialer, type PodDialer } from "../../src/portforward/pod-dialer.ts";
import type { PoolOptions } from "../../src/portforward/pool-options.ts";
import { Tunnel } from "../../src/tunnel/tunnel.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { testApp } from "../cluster/test-app.ts";
import type { MixedPorts } from "./mixed-load.ts";

/** The engines that have connections to pool; both are tried by every suite. */
export const pooledEngines = ["post-spdy", "websocket"] as const;

/** What each port of the test application does (`test/cluster/app/servers.go`). */
const targets = {
  echo: 7000,
  sink: 7001,
  source: 7002,
  neverReads: 7005,
  closesEarly: 7006,
  slow: 7007,
  refused: 7999,
} as const;

/** The way. Disposing it closes everything and deletes its namespace. */
export interface PodTunnel extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly pod: PodRef;
  /** The application's ports, as the tunnel listens on them. */
  readonly ports: MixedPorts;
  readonly dialer: PodDialer;
  /** Upgrades so far. */
  readonly dials: number;
}

/** How it is opened. */
export interface PodTunnelOptions {
  readonly engine: EngineName;
  readonly pool?: Partial<PoolOptions>;
  /** An HTTP proxy on the way to the API server. */
  readonly proxy?: URL;
}

/** Opens one, in a namespace of its own. */
export async function openPodTunnel({ engine, pool, proxy }: PodTunnelOptions): Promise<PodTunnel> {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startCluster());
  const namespace = `tunnel-${randomBytes(4).toString("hex")}`;
  await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
  stack.defer(async () => void (await cluster.kubectl(["delete", "namespace", namespace, "--wait=false"])));
  // By its name the application's process is found (`NAME` in its environment).
  await cluster.apply(testApp({ name: namespace, namespace }));
  const [ready] = await cluster.waitForReadyPods(namespace, `app=${namespace}`, 1);
  assert.ok(ready !== undefined);
  const pod: PodRef = { namespace, name: ready.name, uid: ready.uid };

  const { kubeconfig } = cluster;
  const loaded = await loadCluster({ path: kubeconfig, env: {}, home: "/", readFile: (path) => readFile(path) });
  const through = proxy === undefined ? loaded : { ...loaded, proxy };
  const connector = stack.use(podConnector({ cluster: through, clock, log: silentLogger() }, engine));
  let dials = 0;
  const connect = (of: PodRef, signal: AbortSignal) => {
    dials++;
    return connector.connect(of, signal);
  };
  const dialer = stack.use(openPodDialer({ connect, clock }, pool));
  const host = "127.0.0.1";
  assert.ok(isLoopbackAddress(host));
  const ends = localEnds({ clock });
  const tunnel = stack.use(
    new Tunnel({ dial: dialer.dial, listen: listenHere, ...ends, clock, log: silentLogger() }, host),
  );
  const free = await freePorts(Object.keys(targets).length);
  await tunnel.update(
    Object.values(targets).map((target, at) => ({
      port: port(free[at] ?? 0),
      endpoints: [{ pod, port: port(target) }],
    })),
  );
  const own = stack.move();
  const portOf = (name: keyof typeof targets) => free[Object.keys(targets).indexOf(name)] ?? 0;
  return {
    ...{ cluster, pod, dialer },
    ports: {
      host,
      echo: portOf("echo"),
      sink: portOf("sink"),
      source: portOf("source"),
      neverReads: portOf("neverReads"),
      closesEarly: portOf("closesEarly"),
      slow: portOf("slow"),
      refused: portOf("refused"),
    },
    get dials() {
      return dials;
    },
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  };
}

/** Descriptors of this process. */
export function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  const found: number[] = [];
  for (const server of servers) {
    if (!server.listening) await new Promise((resolve) => server.once("listening", resolve));
    const at = server.address();
    assert.ok(at !== null && typeof at === "object");
    found.push(at.port);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return found;
}
