// What a peer sent before it left has to reach an application that reads late, on the real cluster.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { systemClock as clock } from "../../src/clock.ts";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { silentLogger } from "../../src/log.ts";
import { port } from "../../src/model/port.ts";
import { podConnector } from "../../src/portforward/choose-engine.ts";
import { engineDialer } from "../../src/portforward/engine-dialer.ts";
import { openPodDialer } from "../../src/portforward/pod-dialer.ts";
import { startCluster } from "../cluster/cluster.ts";
import { testApp } from "../cluster/test-app.ts";

/** Longer than a stream has to end, and than a connection may be silent. */
const deafMs = 20_000;
const bytes = 12_000_000;
const engines = ["post-spdy", "websocket", "v4"] as const;

test("12 MB sent at once and closed reach an application that reads late, whole, by every kind of engine", async () => {
  const namespace = `late-${randomBytes(4).toString("hex")}`;
  await using cluster = await startCluster();
  await using all = new AsyncDisposableStack();
  await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
  all.defer(async () => void (await cluster.kubectl(["delete", "namespace", namespace, "--wait=false"])));
  await cluster.apply(testApp({ name: namespace, namespace }));
  const [ready] = await cluster.waitForReadyPods(namespace, `app=${namespace}`, 1);
  assert.ok(ready !== undefined);
  const pod = { namespace, name: ready.name, uid: ready.uid };
  const { kubeconfig } = cluster;
  const admin = await loadCluster({ path: kubeconfig, env: {}, home: "/", readFile: (path) => readFile(path) });
  const { signal: never } = new AbortController();
  const pid = await processOf(namespace);
  const streams = await Promise.all(
    engines.map(async (engine) => {
      const connector = all.use(podConnector({ cluster: admin, clock, log: silentLogger() }, engine));
      const pool = all.use(openPodDialer({ connect: (pod, signal) => connector.connect(pod, signal), clock }));
      return await engineDialer(connector, pool.dial)({ pod, port: port(7001) }, never);
    }),
  );
  const before = await bytesReadBy(pid);
  process.kill(pid, "SIGSTOP");
  try {
    for (const stream of streams) {
      stream.end(Buffer.alloc(bytes));
      if (!stream.writableFinished) await once(stream, "finish");
      stream.destroy();
    }
    await clock.sleep(deafMs);
    assert.ok((await bytesReadBy(pid)) - before < 100_000, "it was not deaf");
  } finally {
    process.kill(pid, "SIGCONT");
  }
  const expected = engines.length * bytes;
  let read = 0;
  for (let second = 0; second < 20 && read < expected; second++) {
    await clock.sleep(1_000);
    read = (await bytesReadBy(pid)) - before;
  }
  assert.ok(read >= expected && read < expected + 100_000, `${read} bytes of ${expected} arrived`);
});

/** The process of the test application of this name (`NAME` in its environment). */
async function processOf(name: string): Promise<number> {
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const environment = await readFile(`/proc/${entry}/environ`, "utf8").catch(() => "");
    if (environment.split("\0").includes(`NAME=${name}`)) return Number(entry);
  }
  return assert.fail(`the process of ${name} was not found`);
}

/** All that it ever read, from sockets too. */
async function bytesReadBy(pid: number): Promise<number> {
  const [, count] = /^rchar: (\d+)$/m.exec(await readFile(`/proc/${pid}/io`, "utf8")) ?? [];
  return Number(count);
}
