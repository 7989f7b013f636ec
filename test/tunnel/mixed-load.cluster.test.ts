/** A tunnel over pooled connections to the real cluster, under connections of every kind: no byte wrong, nothing left. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { systemClock as clock } from "../../src/clock.ts";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { silentLogger } from "../../src/log.ts";
import type { PodRef } from "../../src/model/endpoint.ts";
import { isLoopbackAddress } from "../../src/model/loopback.ts";
import { port } from "../../src/model/port.ts";
import { listenHere } from "../../src/net/listen.ts";
import { localEnds } from "../../src/net/tcp-table.ts";
import { type PodConnector, podConnector } from "../../src/portforward/choose-engine.ts";
import { openPodDialer, type PodDialer } from "../../src/portforward/pod-dialer.ts";
import { Tunnel } from "../../src/tunnel/tunnel.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { testApp } from "../cluster/test-app.ts";
import { kindOf, type MixedPorts } from "./mixed-load.ts";

const namespace = `mixed-${randomBytes(3).toString("hex")}`;
const total = Number(process.env.LOCALIZER_MIXED_CONNECTIONS ?? 2_000);
const workers = 16;

describe("a tunnel over pooled connections", () => {
  let cluster: Cluster;
  let connector: PodConnector;
  let dialer: PodDialer;
  let tunnel: Tunnel;
  let ports: MixedPorts;
  let dials = 0;

  before(async () => {
    cluster = await startCluster();
    await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
    await cluster.apply(testApp({ name: "app", namespace }));
    const [ready] = await cluster.waitForReadyPods(namespace, "app=app", 1);
    assert.ok(ready !== undefined);
    const pod: PodRef = { namespace, name: ready.name, uid: ready.uid };
    const { kubeconfig } = cluster;
    const kube = await loadCluster({ path: kubeconfig, env: {}, home: "/", readFile: (path) => readFile(path) });
    connector = podConnector({ cluster: kube, clock, log: silentLogger() });
    dialer = openPodDialer({
      connect: (of, signal) => {
        dials++;
        return connector.connect(of, signal);
      },
      clock,
    });
    const host = "127.0.0.1";
    assert.ok(isLoopbackAddress(host));
    tunnel = new Tunnel(
      { dial: dialer.dial, listen: listenHere, ...localEnds({ clock }), clock, log: silentLogger() },
      host,
    );
    const free = await freePorts(5);
    const [echo = 0, source = 0, closesEarly = 0, slow = 0, refused = 0] = free;
    ports = { host, echo, source, closesEarly, slow, refused };
    const targets = [7000, 7002, 7006, 7007, 7999];
    await tunnel.update(
      targets.map((target, at) => ({ port: port(free[at] ?? 0), endpoints: [{ pod, port: port(target) }] })),
    );
  });

  after(async () => {
    await tunnel?.[Symbol.asyncDispose]();
    await dialer?.[Symbol.asyncDispose]();
    await connector?.[Symbol.asyncDispose]();
    await cluster?.kubectl(["delete", "namespace", namespace, "--wait=false"]);
    await cluster?.[Symbol.asyncDispose]();
  });

  test(`${total} connections of ${workers} at a time: no byte wrong, no descriptor left`, async () => {
    await run(100);
    await clock.sleep(2_500);
    const before = openFiles();
    const failures = await run(total);
    assert.deepEqual(failures, []);
    await clock.sleep(2_500);
    const [stats] = dialer.stats();
    assert.deepEqual([stats?.streams, stats?.lingering, stats?.waiting], [0, 0, 0], JSON.stringify(stats));
    assert.ok(openFiles() <= before + 16, `${openFiles() - before} descriptors are left`);
    assert.ok(dials < total / 4, `${dials} dials for ${total} connections`);
    console.log(`${dials} dials, ${JSON.stringify(stats)}`);
  });

  async function run(count: number): Promise<readonly string[]> {
    const failures: string[] = [];
    let next = 0;
    const work = async () => {
      while (next < count) {
        const index = next++;
        const [name, kind] = kindOf(index);
        await kind(ports).catch((error: Error) => failures.push(`${name} ${index}: ${error.message}`));
      }
    };
    await Promise.all(Array.from({ length: workers }, work));
    return failures;
  }
});

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  const found: number[] = [];
  for (const server of servers) {
    if (!server.listening) await new Promise((resolve) => server.once("listening", resolve));
    const at = server.address();
    assert.ok(at !== null && typeof at === "object");
    found.push(at.port);
    await new Promise((resolve) => server.close(resolve));
  }
  return found;
}

function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}
