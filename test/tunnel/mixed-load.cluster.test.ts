/** A tunnel over pooled connections to the real cluster, under connections of every kind: no byte wrong, nothing left. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { systemClock as clock } from "../../src/clock.ts";
import { runMixed } from "./mixed-load.ts";
import { openFiles, openPodTunnel, type PodTunnel, pooledEngines } from "./pod-tunnel.ts";

/** By each engine; `mixed-load.soak.test.ts` is the long form. */
const total = 750;
const workers = 24;

for (const engine of pooledEngines) {
  describe(`a tunnel over pooled connections by ${engine}`, () => {
    let way: PodTunnel;

    before(async () => {
      way = await openPodTunnel({ engine });
    });

    after(async () => {
      await way?.[Symbol.asyncDispose]();
    });

    test(`${total} connections of ${workers} at a time: no byte wrong, no descriptor left`, async (context) => {
      const { dialer, ports } = way;
      await runMixed(ports, { count: 50, workers });
      await clock.sleep(2_500);
      const before = openFiles();
      const dialsBefore = way.dials;
      const { failures } = await runMixed(ports, { count: total, workers });
      assert.deepEqual(failures, []);
      await clock.sleep(2_500);
      const [stats] = dialer.stats();
      assert.deepEqual([stats?.streams, stats?.lingering, stats?.waiting], [0, 0, 0], JSON.stringify(stats));
      assert.ok(openFiles() <= before + 16, `${openFiles() - before} descriptors are left`);
      const dials = way.dials - dialsBefore;
      assert.ok(dials < total / 4, `${dials} dials for ${total} connections`);
      context.diagnostic(`${dials} dials, ${JSON.stringify(stats)}`);
    });
  });
}
