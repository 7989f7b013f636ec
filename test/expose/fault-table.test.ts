/**
 * What an exposure leaves behind when its daemon dies, or the API server fails it, at any of its effects. The tables are made of
 * the effects of a run in which nothing fails, so that a new one has its lines at once.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { codeOf } from "../../src/errors.ts";
import { allBack, everyCase, faultCases, kills, quiet, smoothRun, struck, tableLimit } from "./fault-cases.ts";
import type { EffectFault, EffectPlan } from "./fault-gate.ts";
import { type FaultLab, type LabNamespace, openFaultLab } from "./fault-lab.ts";

describe("expose, in a simulated cluster", () => {
  let lab: FaultLab;
  let starts: readonly string[];
  let stops: readonly string[];
  let namespaces = 0;

  before(async () => {
    lab = await openFaultLab();
    const { start, stop } = await smoothRun(lab, fresh);
    starts = start.effects;
    stops = stop.effects.filter((name) => name !== "PATCH leases");
  });

  after(() => lab?.[Symbol.asyncDispose]());

  const fresh = () => lab.namespace(`n${namespaces++}`);

  /** Each effect of the run with each fault, some at a time; failures are collected with their case. */
  async function table(
    faults: readonly EffectFault[],
    names: readonly string[],
    run: (plan: EffectPlan, place: LabNamespace, index: number) => Promise<void>,
  ) {
    await everyCase(faultCases(faults, names), { fresh }, ({ index, ...plan }, place) => run(plan, place, index));
  }

  /** The next start of the same machine. */
  async function startAgain(place: LabNamespace) {
    await using next = place.daemon();
    await next.exposures.recover();
    assert.deepEqual(next.exposures.notices, []);
  }

  /** A machine that knows nothing; the dead one's journal is read at its next start. */
  async function restoreElsewhere(place: LabNamespace, state: unknown) {
    const { failures } = await place.restore();
    assert.deepEqual(failures, []);
    await lab.workloads.settled();
    assert.deepEqual(place.state(), state);
    assert.deepEqual(
      place.leftovers().filter((name) => !name.startsWith("journal")),
      [],
    );
    await startAgain(place);
  }

  test("killed at any effect of its start: the next start puts everything back", tableLimit, () =>
    table(kills, starts, async (plan, place) => {
      const state = place.state();
      await using daemon = place.daemon({ plan, settings: quiet });
      await struck(daemon.gate, daemon.expose());
      await startAgain(place);
      await allBack(lab, place, state);
    }),
  );

  test(
    "killed at any effect of its start: restore from a machine that knows nothing puts everything back",
    tableLimit,
    () =>
      table(kills, starts, async (plan, place) => {
        const state = place.state();
        await using daemon = place.daemon({ plan, settings: quiet });
        await struck(daemon.gate, daemon.expose());
        await restoreElsewhere(place, state);
        await allBack(lab, place, state);
      }),
  );

  test("killed at any effect of its stop: the next start, or restore from elsewhere, ends it", tableLimit, () =>
    table(kills, stops, async (plan, place, index) => {
      const state = place.state();
      await using daemon = place.daemon({ settings: quiet });
      await daemon.expose();
      daemon.gate.arm(plan);
      await struck(daemon.gate, daemon.stop());
      if (index % 2 === 0) await startAgain(place);
      else await restoreElsewhere(place, state);
      await allBack(lab, place, state);
    }),
  );

  const troubles: readonly EffectFault[] = [
    { kind: "refused", status: 403 },
    { kind: "refused", status: 409 },
    { kind: "refused", status: 500 },
    { kind: "answer-lost" },
    { kind: "away", times: 3 },
    { kind: "late", times: 1 },
  ];

  test("whatever fails at any effect of its start: it is exposed, or everything is back", tableLimit, () =>
    table(troubles, starts, async (plan, place) => {
      const state = place.state();
      await using daemon = place.daemon({ plan, settings: quiet });
      const error: unknown = await daemon.expose().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error === undefined) {
        await lab.workloads.settled();
        assert.deepEqual(
          Array.from(Object(place.state()), (each) => Reflect.get(Object(each), "replicas")),
          [0, 0],
        );
        await daemon.stop();
      } else assert.notEqual(codeOf(error), "internal");
      await allBack(lab, place, state);
    }),
  );

  test("whatever fails at any effect of its stop: another stop, or the next start, ends it", tableLimit, () =>
    table(troubles, stops, async (plan, place, index) => {
      const state = place.state();
      await using daemon = place.daemon({ settings: quiet });
      await daemon.expose();
      daemon.gate.arm(plan);
      const stopped = () =>
        daemon.stop().then(
          () => true,
          () => false,
        );
      // The disk is not asked twice by one stop: what is away three times needs four.
      let stops = index % 2 === 0 ? 4 : 1;
      let isDone = await stopped();
      while (!isDone && --stops > 0) isDone = await stopped();
      if (!isDone) {
        // Else it would go on trying: there is one daemon at a time.
        daemon.gate.kill();
        await startAgain(place);
      }
      await allBack(lab, place, state);
    }),
  );
});
