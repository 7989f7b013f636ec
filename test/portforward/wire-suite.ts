/**
 * What a port-forward must do against a real runtime, old or new, by every engine: one suite, run on the current containerd
 * with the other cluster suites and on both runtimes by `npm run soak`.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Duplex } from "node:stream";
import { after, before, test } from "node:test";
import { systemClock as clock } from "../../src/clock.ts";
import { codeOf, LocalizerError } from "../../src/errors.ts";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { silentLogger } from "../../src/log.ts";
import type { EngineName } from "../../src/model/engine-name.ts";
import { port } from "../../src/model/port.ts";
import { type PodConnector, podConnector } from "../../src/portforward/choose-engine.ts";
import type { DialPod } from "../../src/portforward/dial-pod.ts";
import { engineDialer } from "../../src/portforward/engine-dialer.ts";
import { openPodDialer, type PodDialer } from "../../src/portforward/pod-dialer.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { testApp } from "../cluster/test-app.ts";

/** What a suite that goes further may use. */
export interface Wire {
  /** Opens a channel to a port of the test application. */
  open(portNumber: number): Promise<Duplex>;
  /** Connections that the pool has. */
  pooled(): number;
}

/** Registers the tests in the describe block that calls it; without an engine the choice is tested too. */
export function wireSuite(engine?: EngineName): Wire {
  const namespace = `wire-${randomBytes(4).toString("hex")}`;
  let cluster: Cluster;
  let connector: PodConnector;
  let pools: PodDialer;
  let dial: DialPod;
  let pod: { namespace: string; name: string; uid: string };
  const never = new AbortController().signal;

  const target = (portNumber: number) => ({ pod, port: port(portNumber) });
  const wire: Wire = {
    open: (portNumber) => dial(target(portNumber), never),
    pooled: () => pools.stats().reduce((sum, { connections }) => sum + connections, 0),
  };

  before(async () => {
    cluster = await startCluster();
    await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
    await cluster.apply(testApp({ name: "app", namespace }));
    pod = await readyPod();
    connector = podConnector({ cluster: await kubeCluster(), clock, log: silentLogger() }, engine);
    pools = openPodDialer({ connect: (of, signal) => connector.connect(of, signal), clock });
    dial = engineDialer(connector, pools.dial);
  });

  after(async () => {
    await pools?.[Symbol.asyncDispose]();
    await connector?.[Symbol.asyncDispose]();
    await cluster?.kubectl(["delete", "namespace", namespace, "--wait=false"]);
    await cluster?.[Symbol.asyncDispose]();
  });

  test("an echo of 4 MiB comes back the same", async () => {
    const bytes = randomBytes(4 * 1024 * 1024);
    const stream = await wire.open(7000);
    stream.write(bytes);
    assert.ok((await read(stream, bytes.length)).equals(bytes));
    await closed(stream);
  });

  test("many small writes arrive in order", async () => {
    const stream = await wire.open(7000);
    const text = Array.from({ length: 2_000 }, (_, i) => `line ${i}\n`);
    for (const line of text) stream.write(line);
    assert.equal((await read(stream, text.join("").length)).toString(), text.join(""));
    await closed(stream);
  });

  test("a port that nobody listens on ends with `refused`, with and without data and an end behind it", async () => {
    const early: readonly ((stream: Duplex) => unknown)[] = [
      () => {},
      (stream) => stream.write("too early"),
      (stream) => stream.end("too early"),
      (stream) => stream.write(Buffer.alloc(64 * 1024)),
    ];
    for (const say of early) {
      const stream = await wire.open(7999);
      say(stream);
      stream.resume();
      const code = codeOf(await failure(stream));
      // By v4 the server hangs up right behind its words, and a reset for what was still on its way to it may throw them
      // away: then nobody knows, and nothing is repeated.
      const allowed = engine === "v4" && say !== early[0] ? ["refused", "unavailable"] : ["refused"];
      assert.ok(allowed.includes(code), code);
    }
  });

  test("a pod that closes after its answer ends the stream in order, with the answer", async () => {
    const stream = await wire.open(7006);
    stream.write("x");
    assert.equal((await readAll(stream)).toString(), "bye");
  });

  test("a local half-close does not cut a slow answer", async () => {
    const stream = await wire.open(7007);
    stream.end("x");
    assert.equal((await readAll(stream)).length, 160);
  });

  test("a local half-close after a long silence does not cut it either", async () => {
    const stream = await wire.open(7007);
    await clock.sleep(5_500);
    stream.end("x");
    assert.equal((await readAll(stream)).length, 160);
  });

  test("a source is held back while nobody reads, and can be dropped", async () => {
    const stream = await wire.open(7002);
    stream.once("readable", () => {});
    await clock.sleep(500);
    assert.ok(stream.readableLength <= 256 * 1024, `${stream.readableLength} bytes are queued`);
    await closed(stream);
  });

  test("an application that never reads holds its writer back, and no other connection", async () => {
    const stuck = await wire.open(7005);
    let accepted = 0;
    const chunk = Buffer.alloc(256 * 1024);
    while (accepted < 512 * 1024 * 1024 && (stuck.write(chunk) || (await drained(stuck, 1_500))))
      accepted += chunk.length;
    assert.ok(accepted < 512 * 1024 * 1024, "it took everything");
    const other = await wire.open(7000);
    other.write("hello");
    assert.equal((await read(other, 5)).toString(), "hello");
    await Promise.all([closed(stuck), closed(other)]);
  });

  test("a pod that does not exist is `gone`, and a probe of one that does touches no port", async () => {
    const missing = { pod: { namespace, name: "nobody", uid: "none" }, port: port(7000) };
    await assert.rejects(dial(missing, never), (error) => codeOf(error) === "gone");
    await connector.probe(pod, never);
    assert.equal(connector.engine, engine ?? "post-spdy");
  });

  test("a deleted pod ends its open streams, and once it is retired the next dial says `gone`", async () => {
    const stream = await wire.open(7000);
    stream.write("hello");
    await read(stream, 5);
    const ended = settled(stream);
    const { name } = pod;
    await cluster.kubectl(["delete", "pod", name, "-n", namespace]);
    await ended;
    pools.retire(pod.uid);
    await assert.rejects(dial(target(7000), never), (error) => codeOf(error) === "gone");
    pod = await readyPod();
  });

  test("an aborted dial ends at once with `aborted`", async () => {
    const stop = new AbortController();
    const dialled = dial(target(7000), stop.signal);
    stop.abort();
    await assert.rejects(dialled, (error) => codeOf(error) === "aborted");
  });

  async function kubeCluster() {
    const { kubeconfig } = cluster;
    return await loadCluster({ path: kubeconfig, env: {}, home: "/", readFile: (path) => readFile(path) });
  }

  async function readyPod() {
    const [ready] = await cluster.waitForReadyPods(namespace, "app=app", 1);
    assert.ok(ready !== undefined);
    return { namespace, name: ready.name, uid: ready.uid };
  }

  return wire;
}

/** Reads exactly `length` bytes. */
export async function read(stream: Duplex, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let got = 0;
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk);
    got += chunk.length;
    if (got >= length) break;
  }
  return Buffer.concat(chunks);
}

/** Destroys the stream and waits until it is closed. */
export async function closed(stream: Duplex): Promise<void> {
  stream.destroy();
  await settled(stream);
}

async function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function settled(stream: Duplex): Promise<void> {
  stream.resume();
  return new Promise((resolve) => {
    if (stream.closed || stream.readableEnded) resolve();
    stream.once("end", () => resolve());
    stream.once("close", () => resolve());
  });
}

async function failure(stream: Duplex): Promise<unknown> {
  await new Promise<void>((resolve) => {
    stream.once("close", () => resolve());
  });
  return stream.errored ?? new LocalizerError("internal", "the stream ended in order");
}

/** Waits for room; false when there is none after `ms`. */
async function drained(stream: Duplex, ms: number): Promise<boolean> {
  const stop = new AbortController();
  const drain = new Promise<boolean>((resolve) => stream.once("drain", () => resolve(true)));
  const timeUp = clock.sleep(ms, stop.signal).then(() => false);
  const result = await Promise.race([drain, timeUp]);
  stop.abort();
  timeUp.catch(() => {});
  return result;
}
