/**
 * What an exposure leaves behind when its daemon dies, or the API server fails it, at any of its effects. The tables are made of
 * the effects of a run in which nothing fails, so that a new one has its lines at once.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { codeOf } from "../../src/errors.ts";
import type { EffectFault } from "./fault-gate.ts";
import { type FaultLab, type LabNamespace, openFaultLab } from "./fault-lab.ts";

/** Signs of life are effects, too, whose number depends on the time. */
const quiet = { renewMs: 60_000 };
/** So many cases at once. */
const atOnce = 6;

describe("expose, in a simulated cluster", () => {
  let lab: FaultLab;
  let starts: readonly string[];
  let stops: readonly string[];
  let reads: { readonly start: readonly string[]; readonly stop: readonly string[] };
  let namespaces = 0;

  before(async () => {
    lab = await openFaultLab();
    using place = await fresh();
    await using daemon = place.daemon({ settings: quiet });
    const state = place.state();
    await daemon.expose();
    starts = [...daemon.gate.effects];
    const start = [...daemon.gate.reads];
    await daemon.stop();
    stops = daemon.gate.effects.slice(starts.length).filter((name) => name !== "PATCH leases");
    reads = { start, stop: daemon.gate.reads.slice(start.length) };
    await lab.workloads.settled();
    assert.deepEqual(place.state(), state);
    assert.deepEqual(place.leftovers(), []);
  });

  after(() => lab?.[Symbol.asyncDispose]());

  const fresh = () => lab.namespace(`n${namespaces++}`);

  /** Each effect of the run with each fault, some at a time; failures are collected with their case. */
  async function table(
    faults: readonly EffectFault[],
    names: readonly string[],
    run: (at: number, fault: EffectFault, place: LabNamespace) => Promise<void>,
  ) {
    const cases = names.flatMap((name, at) => faults.map((fault) => ({ name, at, fault })));
    assert.ok(cases.length > 0);
    const failures: string[] = [];
    const worker = async () => {
      for (let next = cases.shift(); next !== undefined; next = cases.shift()) {
        const { name, at, fault } = next;
        using place = await fresh();
        try {
          await run(at, fault, place);
        } catch (error) {
          failures.push(
            `${JSON.stringify(fault)} at ${at} (${name}): ${error instanceof Error ? error.message : error}`,
          );
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    assert.deepEqual(failures, []);
  }

  const kills: readonly EffectFault[] = [
    { kind: "kill", when: "before" },
    { kind: "kill", when: "after" },
  ];

  async function isBack(place: LabNamespace, state: unknown) {
    await lab.workloads.settled();
    assert.deepEqual(place.state(), state);
    assert.deepEqual(place.leftovers(), []);
  }

  /** The next start of the same machine. */
  async function startAgain(place: LabNamespace) {
    await using next = place.daemon();
    assert.deepEqual(await next.exposures.recover(), []);
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

  test("killed at any effect of its start: the next start puts everything back", { timeout: 120_000 }, () =>
    table(kills, starts, async (at, fault, place) => {
      const state = place.state();
      await using daemon = place.daemon({ plan: { at, fault }, settings: quiet });
      void daemon.expose().catch(() => {});
      await daemon.gate.killed;
      await startAgain(place);
      await isBack(place, state);
    }),
  );

  test(
    "killed at any effect of its start: restore from a machine that knows nothing puts everything back",
    { timeout: 120_000 },
    () =>
      table(kills, starts, async (at, fault, place) => {
        const state = place.state();
        await using daemon = place.daemon({ plan: { at, fault }, settings: quiet });
        void daemon.expose().catch(() => {});
        await daemon.gate.killed;
        await restoreElsewhere(place, state);
        await isBack(place, state);
      }),
  );

  test(
    "killed at any effect of its stop: the next start, or restore from elsewhere, ends it",
    { timeout: 120_000 },
    () =>
      table(kills, stops, async (at, fault, place) => {
        const state = place.state();
        await using daemon = place.daemon({ settings: quiet });
        await daemon.expose();
        daemon.gate.arm({ at, fault });
        void daemon.stop().catch(() => {});
        await daemon.gate.killed;
        if (at % 2 === 0) await startAgain(place);
        else await restoreElsewhere(place, state);
        await isBack(place, state);
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

  test("whatever fails at any effect of its start: it is exposed, or everything is back", { timeout: 120_000 }, () =>
    table(troubles, starts, async (at, fault, place) => {
      const state = place.state();
      await using daemon = place.daemon({ plan: { at, fault }, settings: quiet });
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
      await isBack(place, state);
    }),
  );

  test("whatever fails at any effect of its stop: another stop, or the next start, ends it", { timeout: 120_000 }, () =>
    table(troubles, stops, async (at, fault, place) => {
      const state = place.state();
      await using daemon = place.daemon({ settings: quiet });
      await daemon.expose();
      daemon.gate.arm({ at, fault });
      const stopped = () =>
        daemon.stop().then(
          () => true,
          () => false,
        );
      // The disk is not asked twice by one stop: what is away three times needs four.
      let stops = at % 2 === 0 ? 4 : 1;
      let isDone = await stopped();
      while (!isDone && --stops > 0) isDone = await stopped();
      if (!isDone) await startAgain(place);
      await isBack(place, state);
    }),
  );

  // How many there are depends on how often something is looked at: the last ones may not come to be.
  const unread: readonly EffectFault[] = [
    { kind: "refused", status: 403 },
    { kind: "away", times: 2 },
    { kind: "late", times: 1 },
  ];

  test("whatever fails at any read of its start: it is exposed, or everything is back", { timeout: 120_000 }, () =>
    table(unread, reads.start, async (at, fault, place) => {
      const state = place.state();
      const plan = { at, fault, amongReads: true };
      await using daemon = place.daemon({ plan, settings: quiet });
      const isExposed = await daemon.expose().then(
        () => true,
        () => false,
      );
      if (isExposed) await daemon.stop().catch(() => daemon.stop());
      await isBack(place, state);
    }),
  );

  test("whatever fails at any read of its stop: another stop ends it", { timeout: 120_000 }, () =>
    table(unread, reads.stop, async (at, fault, place) => {
      const state = place.state();
      await using daemon = place.daemon({ settings: quiet });
      await daemon.expose();
      daemon.gate.arm({ at, fault, amongReads: true });
      await daemon.stop().catch(() => daemon.stop());
      await isBack(place, state);
    }),
  );
});
