/** What users see while pods, controllers and the API server come and go. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, type TestContext, test } from "node:test";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { testApp } from "../cluster/test-app.ts";
import { waitFor } from "../cluster/wait.ts";
import { curlByName } from "./by-name.ts";
import { connectError } from "./echo.ts";
import { listRows } from "./list-rows.ts";
import { type LocalizerRun, startLocalizer } from "./localizer-run.ts";
import { type Exchange, failuresByCode, failuresOf, mostOpen, startSteadyClient } from "./steady-client.ts";

const namespace = `e2e-disrupt-${randomBytes(3).toString("hex")}`;
const ports = [{ name: "http", port: 80, targetPort: "http" }] as const;

describe("disruptions", () => {
  let cluster: Cluster;
  let localizer: LocalizerRun;

  before(async () => {
    cluster = await startCluster();
    await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
    await cluster.apply(testApp({ name: "pair", namespace, replicas: 2, ports }));
    await cluster.apply(testApp({ name: "single", namespace, ports }));
    await ready("pair", 2);
    await ready("single", 1);
    localizer = await startLocalizer({ kubeconfig: cluster.kubeconfig, flags: ["--namespace", namespace] });
  });

  after(async () => {
    await localizer?.[Symbol.asyncDispose]();
    await cluster?.kubectl(["delete", "namespace", namespace, "--wait=false", "--ignore-not-found"]);
    await cluster?.[Symbol.asyncDispose]();
  });

  async function ready(name: string, count: number): Promise<readonly string[]> {
    const pods = await cluster.waitForReadyPods(namespace, `app=${name}`, count);
    await cluster.waitForEndpoints(namespace, name, count);
    return pods.map((pod) => pod.name);
  }

  function client(name: string, everyMs?: number) {
    const at = { address: localizer.addressOf(`${name}.${namespace}.svc`), port: 80 };
    return startSteadyClient(at, everyMs === undefined ? {} : { everyMs });
  }

  async function answered(steady: { exchanges: readonly Exchange[] }, by: (pod: string) => boolean): Promise<void> {
    await waitFor("an answer", () => steady.exchanges.some((one) => one.kind === "answered" && by(one.pod)), {
      timeoutMs: 30_000,
      intervalMs: 20,
    });
  }

  test("a rolling restart under a connection every 20 ms fails no connect", async (t) => {
    const before = await ready("pair", 2);
    await using steady = client("pair");
    await answered(steady, (pod) => before.includes(pod));
    await cluster.kubectl(["rollout", "restart", "deployment/pair", "-n", namespace]);
    await cluster.kubectl(["rollout", "status", "deployment/pair", "-n", namespace, "--timeout=240s"]);
    await answered(steady, (pod) => !before.includes(pod));
    await ready("pair", 2);
    const exchanges = await steady.stop();
    report(t, exchanges);
    assert.ok(exchanges.length > 100);
    const failures = exchanges.filter((one) => one.kind === "failed");
    assert.deepEqual(
      failures.filter(({ isConnected, code }) => !isConnected || code === "ETIMEDOUT"),
      [],
    );
    // Decision 23: what a dying pod had taken and not answered yet is cut, and counted apart. It ends at once when told to.
    t.diagnostic(`exchanges cut in the two pods that ended: ${failures.length}`);
    assert.ok(failures.length <= 2 * before.length, JSON.stringify(failures));
  });

  test("a pod killed by force fails no connect while another is ready, and cuts no more than what was open in it", async (t) => {
    const [victim = ""] = await ready("pair", 2);
    await using steady = client("pair");
    await answered(steady, (pod) => pod === victim);
    const killedMs = steady.nowMs();
    await cluster.kubectl(["delete", "pod", victim, "-n", namespace, "--force", "--grace-period=0"]);
    const survivors = await ready("pair", 2);
    await answered(steady, (pod) => survivors.includes(pod));
    const exchanges = await steady.stop();
    report(t, exchanges);
    const failures = failuresOf(exchanges);
    const [cut, unconnected] = [failures.filter((one) => one.isConnected), failures.filter((one) => !one.isConnected)];
    const open = mostOpen(exchanges, killedMs);
    t.diagnostic(`connects that failed: ${unconnected.length}; exchanges cut: ${cut.length} of at most ${open} open`);
    assert.deepEqual(unconnected, []);
    assert.ok(cut.length <= open, JSON.stringify(cut));
    assert.ok(
      cut.every(({ atMs, tookMs }) => atMs + tookMs >= killedMs),
      "nothing was cut before",
    );
  });

  test("the only pod killed by force: the gap ends by itself, and connections of its first seconds wait", async (t) => {
    const [victim = ""] = await ready("single", 1);
    await using steady = client("single", 100);
    await answered(steady, (pod) => pod === victim);
    const killedMs = steady.nowMs();
    await cluster.kubectl(["delete", "pod", victim, "-n", namespace, "--force", "--grace-period=0"]);
    await answered(steady, (pod) => pod !== victim);
    const exchanges = await steady.stop();
    report(t, exchanges);
    const first = exchanges.find((one) => one.kind === "answered" && one.pod !== victim);
    t.diagnostic(
      `gap: ${Math.round((first?.atMs ?? 0) + (first?.tookMs ?? 0) - killedMs)} ms until the new pod's first answer`,
    );
    const answerMs = (first?.atMs ?? 0) + (first?.tookMs ?? 0);
    assert.ok(answerMs - killedMs < 30_000, "the gap is as long as the cluster needs for a pod");
    for (const { code, atMs, tookMs } of failuresOf(exchanges)) {
      // Reset after 5 s of waiting, or refused while the listener is closed; never silence.
      assert.match(code, /^(ECONNRESET|ECONNREFUSED)$/);
      assert.ok(tookMs < 7_000, `a connection failed after ${tookMs} ms`);
      assert.ok(atMs + tookMs >= killedMs && atMs <= answerMs, `one began at ${atMs} and failed outside the gap`);
    }
  });

  test("the controller-manager stopped: connections leave a dead pod by themselves, and new pods are found afterwards", async () => {
    const [victim = "", other = ""] = await ready("pair", 2);
    cluster.processes.kill("kube-controller-manager", "SIGSTOP");
    try {
      await cluster.kubectl(["delete", "pod", victim, "-n", namespace, "--force", "--grace-period=0"]);
      await using steady = client("pair");
      await waitFor("answers", () => steady.exchanges.length >= 50, { timeoutMs: 20_000, intervalMs: 20 });
      const exchanges = await steady.stop();
      assert.deepEqual(failuresByCode(exchanges), {});
      const last = exchanges.slice(-20).map((one) => one.kind === "answered" && one.pod);
      assert.deepEqual([...new Set(last)], [other]);
    } finally {
      cluster.processes.kill("kube-controller-manager", "SIGCONT");
    }
    const pods = await ready("pair", 2);
    await using steady = client("pair");
    for (const pod of pods) await answered(steady, (one) => one === pod);
  });

  test("the API server killed and restarted: the table stays, and tunnels with living pods come back by themselves", async (t) => {
    await ready("pair", 2);
    const before = localizer.hosts();
    const { size } = await listRows(localizer, namespace);
    cluster.processes.kill("kube-apiserver", "SIGKILL");
    const address = localizer.addressOf(`pair.${namespace}.svc`);
    const started = performance.now();
    assert.equal(
      await connectError(address, 80),
      "ECONNRESET",
      "accepted, and reset when the cluster cannot be reached",
    );
    t.diagnostic(`a connection without an API server was reset after ${Math.round(performance.now() - started)} ms`);
    assert.equal((await listRows(localizer, namespace)).size, size);
    await cluster.processes.restart("kube-apiserver");
    const back = performance.now();
    await waitFor("an answer", () => curlByName(localizer.place.hostsFile, `http://pair.${namespace}.svc/`), {
      timeoutMs: 20_000,
      intervalMs: 50,
    });
    t.diagnostic(`answered again ${Math.round(performance.now() - back)} ms after the API server was ready`);
    assert.equal(localizer.hosts(), before);
    // The watches are alive, too.
    await cluster.apply(testApp({ name: "after", namespace, ports }).slice(1));
    await waitFor("the new service's name", () => localizer.addressOf(`after.${namespace}.svc`), { timeoutMs: 40_000 });
  });

  test("a service deleted and made again under its name has the address it had, and its new ports", async () => {
    const address = localizer.addressOf(`single.${namespace}.svc`);
    await cluster.kubectl(["delete", "service", "single", "-n", namespace]);
    await waitFor("the name to go", () => !localizer.hosts().includes(`single.${namespace}.svc`), {
      timeoutMs: 10_000,
    });
    assert.equal(await connectError(address, 80), "ECONNREFUSED");
    await cluster.apply(
      testApp({ name: "single", namespace, ports: [{ name: "http", port: 8081, targetPort: "http" }] }),
    );
    await waitFor("an answer", () => curlByName(localizer.place.hostsFile, `http://single.${namespace}.svc:8081/`), {
      timeoutMs: 10_000,
    });
    assert.equal(localizer.addressOf(`single.${namespace}.svc`), address);
    assert.equal(await connectError(address, 80), "ECONNREFUSED");
  });

  test("a namespace deleted takes its names and listeners along", async () => {
    const address = localizer.addressOf(`pair.${namespace}.svc`);
    await cluster.kubectl(["delete", "namespace", namespace, "--wait=false"]);
    await waitFor("the names to go", () => !localizer.hosts().includes(namespace), { timeoutMs: 60_000 });
    assert.equal(await connectError(address, 80), "ECONNREFUSED");
    assert.equal((await listRows(localizer, namespace)).size, 0);
  });
});

function report(t: TestContext, exchanges: readonly Exchange[]): void {
  const times = exchanges.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const at = (share: number) => Math.round(times[Math.floor(share * (times.length - 1))] ?? 0);
  const failures = JSON.stringify(failuresByCode(exchanges));
  t.diagnostic(
    `${exchanges.length} exchanges, failed ${failures}, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`,
  );
}
