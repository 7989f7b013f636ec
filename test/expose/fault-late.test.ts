/**
 * Writes that are on their way when their daemon is killed, or gives up waiting for them, and arrive only when everything has been put
 * back and no record is left. One case for each write of a start.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { allBack, everyCase, type Moment, momentsOf, quiet, smoothRun, struck, tableLimit } from "./fault-cases.ts";
import type { FaultGate } from "./fault-gate.ts";
import { type FaultLab, type LabNamespace, openFaultLab } from "./fault-lab.ts";

const owners = ["PATCH deployments", "PATCH statefulsets"];

describe("expose, in a simulated cluster, with a write that arrives late", () => {
  let lab: FaultLab;
  let writes: readonly Moment[];
  let namespaces = 0;

  const fresh = () => lab.namespace(`n${namespaces++}`);

  before(async () => {
    lab = await openFaultLab();
    const { start } = await smoothRun(lab, fresh);
    writes = momentsOf(start.effects).filter(({ name }) => !name.startsWith("journal"));
    for (const owner of owners) assert.ok(writes.some(({ name }) => name === owner));
  });

  after(() => lab?.[Symbol.asyncDispose]());

  /** Nothing of it is done, and what is made of itself goes by itself. */
  async function landed(name: string, gate: FaultGate, place: LabNamespace, state: unknown) {
    const outcome = await gate.land();
    if (owners.includes(name)) assert.equal(outcome, "conflict");
    // A Lease is no change to anything; it is found by whoever looks, as every one that is left.
    if (name === "POST leases") await place.restore();
    await allBack(lab, place, state);
  }

  /** A daemon that was killed with that write on its way. */
  async function killed(place: LabNamespace, moment: Moment) {
    const daemon = place.daemon({ plan: { ...moment, fault: { kind: "lands-late", by: "kill" } }, settings: quiet });
    await struck(daemon.gate, daemon.expose());
    return daemon;
  }

  test("killed with any write of its start on its way: it does nothing after the next start", tableLimit, () =>
    everyCase(writes, { fresh }, async (moment, place) => {
      const state = place.state();
      await using daemon = await killed(place, moment);
      await using next = place.daemon();
      await next.exposures.recover();
      assert.deepEqual(next.exposures.notices, []);
      assert.deepEqual(place.state(), state);
      await landed(moment.name, daemon.gate, place, state);
    }),
  );

  test(
    "killed with any write of its start on its way: it does nothing after a restore from elsewhere",
    tableLimit,
    () =>
      everyCase(writes, { fresh }, async (moment, place) => {
        const state = place.state();
        await using daemon = await killed(place, moment);
        assert.deepEqual((await place.restore()).failures, []);
        assert.deepEqual(place.state(), state);
        const outcome = await daemon.gate.land();
        if (owners.includes(moment.name)) assert.equal(outcome, "conflict");
        await using next = place.daemon();
        await next.exposures.recover();
        assert.deepEqual(next.exposures.notices, []);
        await lab.workloads.settled();
        assert.deepEqual([place.state(), place.leftovers()], [state, []]);
      }),
  );

  test("stopped with any write of its start on its way: it does nothing after the stop", tableLimit, () =>
    everyCase(writes, { fresh }, async (moment, place) => {
      const state = place.state();
      await using daemon = place.daemon({
        plan: { ...moment, fault: { kind: "lands-late", by: "stop" } },
        settings: quiet,
      });
      const started = daemon.expose();
      await struck(daemon.gate, started);
      await daemon.stop();
      await started.catch(() => {});
      assert.deepEqual(place.state(), state);
      await landed(moment.name, daemon.gate, place, state);
    }),
  );
});
