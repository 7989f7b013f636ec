/**
 * The long form of `mixed-load.cluster.test.ts`: by each engine 100,000 connections of mixed kinds or 30 minutes, whichever
 * comes first. LOCALIZER_SOAK_CONNECTIONS and LOCALIZER_SOAK_MINUTES make it shorter or longer.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { systemClock as clock } from "../../src/clock.ts";
import { runMixed } from "./mixed-load.ts";
import { openFiles, openPodTunnel, type PodTunnel, pooledEngines } from "./pod-tunnel.ts";

const connections = Number(process.env.LOCALIZER_SOAK_CONNECTIONS ?? 100_000);
const minutes = Number(process.env.LOCALIZER_SOAK_MINUTES ?? 30);
const workers = 24;
const parts = 20;

/** What may be left of memory after the first quarter, in MiB: noise of a process that has just moved gigabytes. */
const flatMiB = 24;

/** Threads that the runtime may have more after than before: those that it keeps for the next moment. */
const spareThreads = 8;

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

for (const engine of pooledEngines) {
  describe(`a tunnel by ${engine}, for long`, () => {
    let way: PodTunnel;

    before(async () => {
      way = await openPodTunnel({ engine });
    });

    after(async () => {
      await way?.[Symbol.asyncDispose]();
    });

    test(`${connections} connections or ${minutes} minutes: no byte wrong, memory, descriptors and threads flat`, async (context) => {
      const { cluster, dialer, ports } = way;
      const threads = () => threadsOf(cluster.processes.pid("containerd"));
      await runMixed(ports, { count: 500, workers });
      await clock.sleep(2_500);
      const before = { files: openFiles(), threads: threads(), rss: rssMiB() };
      const rss: number[] = [];
      const untilMs = clock.monotonic() + minutes * 60_000;
      const isOver = () => clock.monotonic() >= untilMs;
      let done = 0;
      while (done < connections && !isOver()) {
        // In parts, each of which ends quietly, so that what is measured is what is left.
        const partMs = clock.monotonic() + (minutes * 60_000) / parts;
        const count = Math.min(Math.ceil(connections / parts), connections - done);
        const result = await runMixed(ports, { count, workers, isOver: () => clock.monotonic() >= partMs });
        assert.deepEqual(result.failures, []);
        done += result.done;
        await clock.sleep(1_500);
        rss.push(rssMiB());
      }
      await clock.sleep(2_500);
      const [stats] = dialer.stats();
      const after = { files: openFiles(), threads: threads(), rss: rssMiB() };
      const early = median(rss.slice(Math.floor(rss.length / 4), Math.ceil(rss.length / 2)));
      const late = median(rss.slice(Math.floor((rss.length * 3) / 4)));
      context.diagnostic(
        JSON.stringify({ done, dials: way.dials, before, after, early, late, rss, rttMs: stats?.rttMs }),
      );
      assert.deepEqual([stats?.streams, stats?.lingering, stats?.waiting], [0, 0, 0], JSON.stringify(stats));
      assert.ok(after.files <= before.files + 16, `${after.files - before.files} descriptors are left`);
      assert.ok(late <= early + flatMiB, `memory grew from ${early} to ${late} MiB`);
      assert.ok(after.threads <= before.threads + spareThreads, `threads: ${before.threads}, then ${after.threads}`);
    });
  });
}

/** Of this process, after a collection. */
function rssMiB(): number {
  assert.ok(typeof collect === "function");
  collect();
  return Math.round(process.memoryUsage.rss() / 2 ** 20);
}

function threadsOf(pid: number | undefined): number {
  assert.ok(pid !== undefined, "containerd is not there");
  return readdirSync(`/proc/${pid}/task`).length;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
