/**
 * Starts, breaks and stops a whole cluster. It has a slot and a directory of its own, so the
 * cluster that others use stays as it is.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { endCluster, startCluster } from "./cluster.ts";
import { clusterProcesses } from "./cluster-processes.ts";
import { componentProcess } from "./component-set.ts";
import { type ComponentName, componentNames } from "./components.ts";
import { identify, stopProcesses } from "./detached-process.ts";
import { prepareExecutables } from "./executables.ts";
import { nobodyListens } from "./host-traces.ts";
import { clusterLayout } from "./layout.ts";
import { leftovers } from "./leftovers.ts";
import { mounts } from "./mounts.ts";
import { readRecord, writeRecord } from "./record.ts";
import { runCommand } from "./run-command.ts";
import type { Cluster } from "./running-cluster.ts";
import { startFromNothing } from "./start-cluster.ts";
import { stopCluster } from "./stop-cluster.ts";
import { testApp } from "./test-app.ts";
import { sshdImage } from "./test-images.ts";
import { waitFor } from "./wait.ts";

const slot = 1;
const layout = clusterLayout({ slot, stateDir: mkdtempSync(join(tmpdir(), "lz-cluster-")) });
const quiet = () => {};
const waitOptions = { timeoutMs: 10_000 };
// Says on standard error what takes its time: the first start on a machine builds everything.
const start = () => startCluster({ layout });

after(async () => {
  await endCluster({ layout, log: quiet });
  rmSync(layout.stateDir, { recursive: true, force: true });
});

test("startCluster() called twice at once starts one cluster, in which pods run and answer", async () => {
  const [cluster, other] = await Promise.all([start(), start()]);
  assert.notEqual(cluster.startedHere, other.startedHere);
  await runApp(cluster);
  const [pod] = await cluster.waitForReadyPods("default", "app=shop", 2);
  assert.ok(pod);
  assert.equal((await cluster.waitForEndpoints("default", "shop", 2)).length, 2);
  const inPod = (...args: string[]) => cluster.kubectl(["exec", pod.name, "--", "/testapp", "client", ...args]);
  const service = await cluster.kubectl(["get", "service", "shop", "-o", "jsonpath={.spec.clusterIP}"]);
  // kube-proxy hears of the endpoints a moment after they are there.
  const answer = await waitFor("the service to answer", () => inPod("-http", "/cart", `${service}:80`), waitOptions);
  assert.match(answer, /hello from shop on shop-.*GET \/cart/);
  assert.equal(await inPod("-half-close", "-send", "x", `${service}:7004`), "read 1 bytes then EOF\n");
  assert.equal(await inPod("-udp", "-send", "hello", `${service}:7000`), "hello");
  await assert.rejects(inPod("-send", "x", `${service}:7999`), /connection refused/);
});

test("startCluster() puts the image of sshd into a cluster that is up without it, and starts nothing anew", async () => {
  const { runtimeDir } = await prepareExecutables("current", quiet);
  const ctr = (...args: string[]) =>
    runCommand(join(runtimeDir, "ctr"), ["-a", layout.containerdSocket, "-n", "k8s.io", "images", ...args]);
  await ctr("rm", sshdImage);
  const record = await readRecord(layout);
  assert.ok(record);
  await writeRecord(layout, { ...record, sshd: undefined });
  const before = pids();
  await using _cluster = await startCluster({ layout, log: quiet });
  assert.match(await ctr("ls", "-q"), new RegExp(`^${sshdImage}$`, "m"));
  assert.deepEqual([pids(), await readRecord(layout)], [before, record]);
});

test("startCluster() uses the cluster that is up, and dispose leaves it up", async () => {
  const before = pids();
  {
    await using cluster = await start();
    assert.equal(cluster.startedHere, false);
  }
  assert.deepEqual(pids(), before);
});

test("processes.restart() brings the API server back with its data", async () => {
  await using cluster = await start();
  await cluster.processes.restart("kube-apiserver");
  await cluster.waitForReadyPods("default", "app=shop", 2);
});

for (const victim of ["containerd", "kube-apiserver", "kubelet"] as const) {
  test(`startCluster() starts anew after kill -9 of ${victim}`, async () => {
    const joined = await start();
    assert.equal(joined.startedHere, false);
    joined.processes.kill(victim, "SIGKILL");
    await waitFor(`${victim} to go away`, () => pidOf(victim) === undefined, waitOptions);
    await joined[Symbol.asyncDispose]();
    const cluster = await start();
    assert.equal(cluster.startedHere, true);
    await runApp(cluster);
  });
}

test("startCluster() clears up after a start that was killed", async () => {
  await endCluster({ layout });
  const code = `const { startCluster } = await import(${JSON.stringify(join(import.meta.dirname, "cluster.ts"))});
    await startCluster({ layout: ${JSON.stringify(layout)} });`;
  const starting = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: "ignore" });
  while (pidOf("kube-apiserver") === undefined) await sleep(20);
  starting.kill("SIGKILL");
  await once(starting, "exit");
  assert.equal((await start()).startedHere, true);
});

test("dispose() stops the cluster and leaves nothing on the machine, with pods running and a shim killed", {
  timeout: 300_000,
}, async () => {
  Reflect.deleteProperty(process.env, "LOCALIZER_TEST_CLUSTER"); // "keep" would leave it up.
  await endCluster({ layout });
  const [mountsBefore, tracesBefore] = [mountPaths(), await traces()];
  const cluster = await start();
  await runApp(cluster);
  const shim = clusterProcesses(layout).find(({ kind }) => kind === "shim");
  assert.ok(shim);
  await stopProcesses([shim], 0);
  const started = clusterProcesses(layout);
  assert.ok(started.length > componentNames.length);

  await cluster[Symbol.asyncDispose]();
  assert.deepEqual(leftovers(layout), []);
  assert.deepEqual(mountPaths(), mountsBefore);
  assert.deepEqual(await traces(), tracesBefore);
  assert.deepEqual(
    started.filter(({ pid, startTime }) => identify(pid)?.startTime === startTime),
    [],
  );
  assert.ok(existsSync(join(layout.logDir, "kubelet.log")), "the logs are kept");
});

test("startFromNothing() prints the end of the log of what ended", async () => {
  const executables = await prepareExecutables("current", quiet);
  const broken = join(layout.stateDir, "broken");
  writeFileSync(broken, "#!/bin/sh\nsleep 0.2; echo no space in the attic; exit 1\n", { mode: 0o755 });
  const lines: string[] = [];
  const attempt = startFromNothing(layout, { ...executables, kubebox: broken }, { log: (line) => lines.push(line) });
  await assert.rejects(attempt, /Cannot start the test cluster .*etcd.* ended/);
  assert.match(lines.join("\n"), /--- etcd \(ended\).*\n {4}no space in the attic/);
  await stopCluster(layout);
});

async function runApp(cluster: Cluster): Promise<void> {
  await cluster.apply(testApp({ name: "shop", replicas: 2 }));
  await cluster.waitForReadyPods("default", "app=shop", 2);
}

function pids(): (number | undefined)[] {
  return componentNames.map(pidOf);
}

function pidOf(name: ComponentName): number | undefined {
  return componentProcess(layout, name)?.pid;
}

/** All but those of the cluster that others may be using now. */
function mountPaths(): string[] {
  const { stateDir, netnsPath } = clusterLayout();
  return mounts()
    .map(({ path }) => path)
    .filter((path) => path !== netnsPath && !path.startsWith(`${stateDir}/`));
}

/** Files outside the state directory that are nobody's: entries that only a dead cluster can have left. */
async function traces() {
  const sockets = entries("/run/containerd/s").map((name) => join("/run/containerd/s", name));
  const dead = await Promise.all(sockets.map(async (path) => ((await nobodyListens(path)) ? [path] : [])));
  const ownResults = entries("/var/lib/cni/results").filter((name) => name.startsWith(layout.podNetwork));
  return { dead: dead.flat(), ownResults, panicOnOops: readFileSync("/proc/sys/kernel/panic_on_oops", "utf8") };
}

function entries(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
