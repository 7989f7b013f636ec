// An application that does not read looks like a black hole to pings. The real API server has to be told from one.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { systemClock as clock } from "../../src/clock.ts";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { silentLogger } from "../../src/log.ts";
import { port } from "../../src/model/port.ts";
import { tcpDelivery } from "../../src/net/tcp-delivery.ts";
import { podConnector } from "../../src/portforward/choose-engine.ts";
import { openPodDialer } from "../../src/portforward/pod-dialer.ts";
import { startCluster } from "../cluster/cluster.ts";
import { testApp } from "../cluster/test-app.ts";
import { startHttpProxy } from "../support/proxies.ts";
import { read } from "./wire-suite.ts";

/** Twice as long as a connection may be silent. */
const stuckMs = 26_000;

/** Below what API server, kubelet and runtime swallow, and far above. */
const sizes = { "12 MB": 12 << 20, "256 MB": 256 << 20 };

test("uploads to an application that does not read live on, by every kind of engine and through a proxy, and silent ones too", async (t) => {
  const namespace = `slow-${randomBytes(4).toString("hex")}`;
  await using cluster = await startCluster();
  await using all = new AsyncDisposableStack();
  await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
  all.defer(async () => void (await cluster.kubectl(["delete", "namespace", namespace, "--wait=false"])));
  await cluster.apply(testApp({ name: "app", namespace }));
  const [ready] = await cluster.waitForReadyPods(namespace, "app=app", 1);
  assert.ok(ready !== undefined);
  const pod = { namespace, name: ready.name, uid: ready.uid };
  const { signal: never } = new AbortController();
  const { kubeconfig } = cluster;
  const admin = await loadCluster({ path: kubeconfig, env: {}, home: "/", readFile: (path) => readFile(path) });
  const proxy = all.use(await startHttpProxy());
  const proxied = { ...admin, proxy: new URL(`http://127.0.0.1:${proxy.port}`) };
  const seen: string[] = [];
  const deliveryOf = tcpDelivery();
  const streams: Record<string, Duplex> = {};
  for (const [way, to, engine] of [
    ["direct", admin, "post-spdy"],
    ["websocket", admin, "websocket"],
    ["proxied", proxied, "post-spdy"],
  ] as const) {
    const witnesses = {
      deliveryOf: async (ends: Parameters<typeof deliveryOf>[0]) => {
        const delivery = await deliveryOf(ends);
        seen.push(`${way}: ${delivery}`);
        return delivery;
      },
      isOurs: () => true,
    };
    const connector = all.use(podConnector({ cluster: to, clock, log: silentLogger(), witnesses }, engine));
    const dialer = all.use(openPodDialer({ connect: (pod, signal) => connector.connect(pod, signal), clock }));
    for (const [size, bytes] of Object.entries(sizes)) {
      const stream = await dialer.dial({ pod, port: port(7005) }, never);
      streams[`${way} ${size}`] = stream;
      upload(stream, bytes);
    }
  }
  const v4 = all.use(
    podConnector({ cluster: admin, clock, log: silentLogger(), witnesses: { deliveryOf, isOurs: () => true } }, "v4"),
  );
  const open4 = (portNumber: number) => v4.dial({ pod, port: port(portNumber) }, never);
  const quiet = await open4(7000);
  streams["v4 quiet"] = quiet;
  streams["v4 stuck"] = await open4(7005);
  upload(streams["v4 stuck"], sizes["256 MB"]);
  await clock.sleep(stuckMs);
  t.diagnostic([...new Set(seen)].sort().join(", "));
  for (const [name, stream] of Object.entries(streams)) {
    assert.equal(stream.errored, null, name);
    assert.equal(stream.destroyed, false, name);
  }
  quiet.write("hello");
  assert.equal(String(await read(quiet, 5)), "hello");
  // They were asked about, or nothing was shown.
  assert.ok(seen.length >= 6, `asked ${seen.length} times`);
});

function upload(stream: Duplex, bytes: number): void {
  const block = Buffer.alloc(256 * 1024);
  let left = bytes;
  const more = () => {
    while (left > 0 && !stream.destroyed) {
      left -= block.length;
      if (!stream.write(block)) return;
    }
  };
  stream.on("drain", more);
  more();
}
