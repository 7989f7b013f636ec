/**
 * What is left when those who put back die, or are failed by the API server, at any of their effects: the next start, `restore`
 * from elsewhere, and `--take-over`. Each is followed by another who puts back the rest. The tables are made of the effects of a
 * run in which nothing fails.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { allBack, everyCase, faultCases, kills, quiet, struck, tableLimit } from "./fault-cases.ts";
import { type EffectFault, type EffectPlan, FaultGate } from "./fault-gate.ts";
import { type FaultLab, type LabNamespace, openFaultLab } from "./fault-lab.ts";

const troubles: readonly EffectFault[] = [
  { kind: "refused", status: 403 },
  { kind: "refused", status: 409 },
  { kind: "refused", status: 500 },
  { kind: "answer-lost" },
];

describe("putting back, in a simulated cluster", () => {
  let lab: FaultLab;
  let namespaces = 0;
  /** Effects of each, up to where all is back, when nothing fails. */
  let names: {
    readonly start: readonly string[];
    readonly restore: readonly string[];
    readonly takeOver: readonly string[];
  };

  const fresh = () => lab.namespace(`n${namespaces++}`);

  before(async () => {
    lab = await openFaultLab();
    const effectsOf = async (run: (place: LabNamespace) => Promise<FaultGate>) => {
      using place = await fresh();
      await using _forgotten = await forget(place);
      return [...(await run(place)).effects];
    };
    const [start, restore, takeOver] = await Promise.all([
      effectsOf(async (place) => {
        await using daemon = place.daemon({ settings: quiet });
        await daemon.exposures.recover();
        assert.deepEqual(daemon.exposures.notices, []);
        return daemon.gate;
      }),
      effectsOf(async (place) => {
        const gate = new FaultGate();
        assert.equal((await place.restore(gate)).restored, 1);
        return gate;
      }),
      effectsOf(async (place) => {
        await using daemon = place.daemon(other);
        await daemon.expose({ takeOver: true });
        return daemon.gate;
      }),
    ]);
    // What comes behind is the new session's own start, which has a table of its own.
    assert.ok(takeOver.includes("journal write"));
    names = { start, restore, takeOver: takeOver.slice(0, takeOver.indexOf("journal write") + 1) };
  });

  after(() => lab?.[Symbol.asyncDispose]());

  /** Of another user, on another machine. */
  const other = { isElsewhere: true, holder: "you@there", settings: quiet };

  /** Exposes, and dies. */
  async function forget(place: LabNamespace) {
    const daemon = place.daemon({ settings: quiet });
    await daemon.expose();
    daemon.gate.arm({ at: 0, fault: { kind: "kill", when: "before" } });
    await struck(daemon.gate, daemon.stop());
    return daemon;
  }

  /** Starts of both machines forget what is back. */
  async function bothStart(place: LabNamespace) {
    for (const isElsewhere of [false, true]) {
      await using daemon = place.daemon({ isElsewhere });
      await daemon.exposures.recover();
      assert.deepEqual(daemon.exposures.notices, []);
    }
  }

  /** Somebody who knows nothing, then the starts. */
  async function endElsewhere(place: LabNamespace) {
    assert.deepEqual((await place.restore()).failures, []);
    await bothStart(place);
  }

  const ways = [
    {
      title: "the next start",
      effects: () => names.start,
      run: async (place: LabNamespace, plan: EffectPlan) => {
        const daemon = place.daemon({ plan, settings: quiet });
        return { daemon, gate: daemon.gate, over: daemon.exposures.recover() };
      },
    },
    {
      title: "restore from elsewhere",
      effects: () => names.restore,
      run: async (place: LabNamespace, plan: EffectPlan) => {
        const gate = new FaultGate(plan);
        return { daemon: undefined, gate, over: place.restore(gate).then(() => {}) };
      },
    },
    {
      title: "--take-over from another machine",
      effects: () => names.takeOver,
      run: async (place: LabNamespace, plan: EffectPlan) => {
        const daemon = place.daemon({ ...other, plan });
        return { daemon, gate: daemon.gate, over: daemon.expose({ takeOver: true }) };
      },
    },
  ] as const;

  for (const { title, effects, run } of ways) {
    test(`${title}, killed at any of its effects: the next start, or restore, puts back the rest`, tableLimit, () =>
      everyCase(faultCases(kills, effects()), { fresh }, async ({ index, ...plan }, place) => {
        const state = place.state();
        await using _forgotten = await forget(place);
        const { daemon, gate, over } = await run(place, plan);
        await using _daemon = daemon;
        // A slow machine gives more signs of life, so that the last effects of the first run may not come to be.
        await Promise.race([gate.killed, over.catch(() => {})]);
        if (index % 2 === 0) await bothStart(place);
        await endElsewhere(place);
        await allBack(lab, place, state);
      }),
    );

    test(`${title}, failed at any of its effects: what it leaves is put back by the next`, tableLimit, () =>
      everyCase(faultCases(troubles, effects()), { fresh }, async ({ index, ...plan }, place) => {
        const state = place.state();
        await using _forgotten = await forget(place);
        const { daemon, over } = await run(place, plan);
        await using _daemon = daemon;
        await over.then(
          () => daemon?.exposures[Symbol.asyncDispose](),
          () => daemon?.gate.kill(),
        );
        await endElsewhere(place);
        await allBack(lab, place, state);
      }),
    );
  }
});
