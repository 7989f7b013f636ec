/** One side of a connection is slow, silent or gone, on the real cluster, by both engines: nothing is lost, nothing goes on for nobody. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { systemClock as clock } from "../../src/clock.ts";
import { waitFor } from "../cluster/wait.ts";
import { startHttpProxy } from "../support/proxies.ts";
import { type Relay, startRelay } from "../support/relay.ts";
import { open } from "./mixed-load.ts";
import { openPodTunnel, type PodTunnel, pooledEngines } from "./pod-tunnel.ts";

/** So long the application reads nothing: longer than a connection may be silent before it counts as lost (15 s). */
const deafMs = 25_000;

/** The runtime goes on for a second after our FIN (design/verified.md 1); the rest is a busy machine. */
const stopsWithinMs = 4_000;

/** Buffers on the way from the pod hold a few megabytes. */
const underWay = 32 * 2 ** 20;

describe("a slow side", { concurrency: true }, () => {
  for (const engine of pooledEngines) {
    test(`12 MB to an application that reads nothing for ${deafMs / 1000} s arrive whole, by ${engine}`, async () => {
      await using way = await openPodTunnel({ engine });
      const { host, echo } = way.ports;
      using bystander = open(host, echo);
      bystander.socket.write("before");
      assert.equal(String(await bystander.read(6)), "before");
      const bytes = randomBytes(12_000_000);
      using peer = open(host, echo);
      await once(peer.socket, "connect");
      {
        await using _deaf = await stopped(way);
        peer.socket.write(bytes);
        bystander.socket.write("meanwhile");
        await clock.sleep(deafMs);
        assert.deepEqual([peer.socket.errored, peer.socket.closed], [null, false]);
      }
      const back = await peer.read(bytes.length);
      assert.equal(sha1(back), sha1(bytes));
      // Who had little to say has lost nothing either, and the pool is as good as before.
      assert.equal(String(await bystander.read(9)), "meanwhile");
      using later = open(host, echo);
      later.socket.write("after");
      assert.equal(String(await later.read(5)), "after");
    });

    test(`a download broken off on a shared connection stops, and the other one on it lives, by ${engine}`, async () => {
      await using proxy = await startHttpProxy();
      await using relay = await startRelay(proxy.port);
      const pool = { connectionsPerPod: 1, spareMs: 0 };
      await using way = await openPodTunnel({ engine, pool, proxy: new URL(`http://127.0.0.1:${relay.port}`) });
      const { host, echo, source } = way.ports;
      using bystander = open(host, echo);
      bystander.socket.write("before");
      assert.equal(String(await bystander.read(6)), "before");
      const download = open(host, source);
      await download.read(2_000_000);
      assert.equal(way.dials, 1, "they do not share");
      download[Symbol.dispose]();
      await quiet(relay);
      bystander.socket.write("after");
      assert.equal(String(await bystander.read(5)), "after");
    });

    test(`a download broken off on a connection of its own stops at once, by ${engine}`, async () => {
      await using proxy = await startHttpProxy();
      await using relay = await startRelay(proxy.port);
      await using way = await openPodTunnel({ engine, proxy: new URL(`http://127.0.0.1:${relay.port}`) });
      const download = open(way.ports.host, way.ports.source);
      await download.read(2_000_000);
      const { bytesBack } = relay;
      download[Symbol.dispose]();
      await quiet(relay);
      // In bytes, for a busy machine may take its time: what was under way comes, a second more of it would be hundreds of megabytes.
      assert.ok(relay.bytesBack - bytesBack < underWay, `${relay.bytesBack - bytesBack} bytes came for nobody`);
    });

    test(`the connection of a client that has half-closed is nobody else's until its answer is there, by ${engine}`, async () => {
      await using way = await openPodTunnel({ engine, pool: { spareMs: 0 } });
      const { host, echo, slow } = way.ports;
      using half = open(host, slow);
      half.socket.end("x");
      const answer = half.rest();
      // Looked at below; until then nobody waits for it.
      answer.catch(() => {});
      // A moment after the upgrade the kernel has said that the client still reads.
      const isHalfClosed = () => {
        const [stats] = way.dialer.stats();
        return stats?.streams === 1 && stats.free === 0;
      };
      const giveUpMs = clock.monotonic() + 3_000;
      while (!isHalfClosed() && clock.monotonic() < giveUpMs) await clock.sleep(20);
      assert.ok(isHalfClosed(), JSON.stringify(way.dialer.stats()));
      for (let turn = 0; turn < 10; turn++) {
        using peer = open(host, echo);
        peer.socket.write("hello");
        assert.equal(String(await peer.read(5)), "hello");
      }
      assert.ok(way.dials >= 2, "it was handed out");
      assert.equal((await answer).length, 160);
    });
  }
});

/** Until next to nothing comes from the API server for a second. */
async function quiet(relay: Relay): Promise<void> {
  const isQuiet = async () => {
    const { bytesBack } = relay;
    await clock.sleep(1_000);
    return relay.bytesBack - bytesBack < 100_000;
  };
  await waitFor("the download to stop", isQuiet, { timeoutMs: stopsWithinMs });
}

/** Stops the application's process until it is disposed: its kernel accepts, itself reads nothing. */
async function stopped({ pod }: PodTunnel): Promise<AsyncDisposable> {
  const pid = await processOf(pod.namespace);
  process.kill(pid, "SIGSTOP");
  return {
    async [Symbol.asyncDispose]() {
      process.kill(pid, "SIGCONT");
    },
  };
}

/** The process of the test application of this name (`NAME` in its environment). */
async function processOf(name: string): Promise<number> {
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const environment = await readFile(`/proc/${entry}/environ`, "utf8").catch(() => "");
    if (environment.split("\0").includes(`NAME=${name}`)) return Number(entry);
  }
  return assert.fail(`the process of ${name} was not found`);
}

function sha1(bytes: Buffer): string {
  return createHash("sha1").update(bytes).digest("hex");
}
