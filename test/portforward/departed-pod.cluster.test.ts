// While a runtime takes a pod's network down its loopback swallows what is sent: a port that is asked for then neither answers nor refuses.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { systemClock as clock } from "../../src/clock.ts";
import { codeOf } from "../../src/errors.ts";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { silentLogger } from "../../src/log.ts";
import { port } from "../../src/model/port.ts";
import { podConnector } from "../../src/portforward/choose-engine.ts";
import { openPodDialer } from "../../src/portforward/pod-dialer.ts";
import { startCluster } from "../cluster/cluster.ts";
import { runCommand } from "../cluster/run-command.ts";
import { testApp } from "../cluster/test-app.ts";
import { waitFor } from "../cluster/wait.ts";

/** Longer than it takes to reset a stream of a pod that is gone, or that was not accepted. */
const watchedMs = 20_000;

test("a port asked for while its pod's network is taken down hangs as long as there is the pod, and is reset soon after", async (t) => {
  const namespace = `departed-${randomBytes(4).toString("hex")}`;
  await using cluster = await startCluster();
  await using all = new AsyncDisposableStack();
  await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
  all.defer(async () => void (await cluster.kubectl(["delete", "namespace", namespace, "--wait=false"])));
  await cluster.apply(testApp({ name: namespace, namespace }));
  const [ready] = await cluster.waitForReadyPods(namespace, `app=${namespace}`, 1);
  assert.ok(ready !== undefined);
  const pod = { namespace, name: ready.name, uid: ready.uid };
  const { signal: never } = new AbortController();
  const { kubeconfig } = cluster;
  const admin = await loadCluster({ path: kubeconfig, env: {}, home: "/", readFile: (path) => readFile(path) });
  const dialers = (["post-spdy", "websocket"] as const).map((engine) => {
    const connector = all.use(podConnector({ cluster: admin, clock, log: silentLogger() }, engine));
    return all.use(openPodDialer({ connect: (to, signal) => connector.connect(to, signal), clock }));
  });
  await runCommand("nsenter", ["-t", await processOf(namespace), "-n", "ip", "link", "set", "lo", "down"], {
    timeoutMs: 10_000,
  });
  const streams = await Promise.all(dialers.map(({ dial }) => dial({ pod, port: port(7003) }, never)));
  for (const stream of streams) stream.resume().write("GET / HTTP/1.0\r\n\r\n");
  await clock.sleep(watchedMs);
  assert.deepEqual(streams.map(how), ["open", "open"], "while the pod may only be slow");
  await cluster.kubectl(["delete", "pod", pod.name, "-n", namespace, "--force", "--grace-period=0"]);
  const deletedMs = clock.monotonic();
  for (const dialer of dialers) dialer.retire(pod.uid);
  await waitFor("the streams to end", () => streams.every(({ destroyed }) => destroyed), {
    timeoutMs: 30_000,
    intervalMs: 50,
  });
  const tookMs = Math.round(clock.monotonic() - deletedMs);
  t.diagnostic(`streams ended ${tookMs} ms after the pod's deletion`);
  for (const stream of streams) assert.match(how(stream), /^unavailable: .*the pod is gone$/);
  assert.ok(tookMs < 7_000, `after ${tookMs} ms`);
});

function how(stream: Duplex): string {
  return stream.destroyed ? `${codeOf(stream.errored)}: ${stream.errored?.message}` : "open";
}

/** The process of the application of this name, which is nobody else's. */
async function processOf(name: string): Promise<string> {
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const environment = await readFile(`/proc/${entry}/environ`, "latin1").catch(() => "");
    if (environment.split("\0").includes(`NAME=${name}`)) return entry;
  }
  throw new Error(`there is no process of ${name}`);
}
