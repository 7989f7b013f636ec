/**
 * Two exposures at once in the simulated cluster, the second beginning at any effect of the first: of one Service by two users, of
 * two Services with one owner by two users and by one daemon, and while the first one stops. Promises that nobody's numbers are lost.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { systemClock } from "../../src/clock.ts";
import { codeOf } from "../../src/errors.ts";
import { namespaceOf, serviceKey } from "../../src/model/service-key.ts";
import { waitFor } from "../cluster/wait.ts";
import { allBack, everyCase, quiet, smoothRun, struck, tableLimit } from "./fault-cases.ts";
import { type FaultLab, type LabDaemon, type LabNamespace, openFaultLab } from "./fault-lab.ts";

/** Of another user, on another machine. */
const other = { isElsewhere: true, holder: "you@there", settings: quiet };

describe("two exposures at once, in a simulated cluster", tableLimit, () => {
  let lab: FaultLab;
  let namespaces = 0;
  /** How many effects a start, and a stop, have. */
  let count: { readonly start: number; readonly stop: number };

  const fresh = () => lab.namespace(`n${namespaces++}`);

  before(async () => {
    lab = await openFaultLab();
    const { start, stop } = await smoothRun(lab, fresh);
    count = { start: start.effects.length, stop: stop.effects.length };
  });

  after(() => lab?.[Symbol.asyncDispose]());

  /** When the daemon has come so far; or is over, for what goes wrong does fewer. */
  async function reached({ gate }: LabDaemon, effects: number, work: Promise<unknown>) {
    let isOver = false;
    void work.finally(() => {
      isOver = true;
    });
    while (gate.effects.length < effects && !isOver) await turn();
  }

  /** Gives whether it is exposed; whoever is not was refused for the other one. */
  async function outcome(work: Promise<unknown>): Promise<boolean> {
    try {
      await work;
      return true;
    } catch (error) {
      assert.equal(codeOf(error), "conflict", String(error));
      return false;
    }
  }

  const replicas = (place: LabNamespace) =>
    Array.from(Object(place.state()), (each) => Reflect.get(Object(each), "replicas"));

  const moments = (effects: number) => Array.from({ length: effects + 1 }, (_, at) => ({ at }));

  for (const { title, service } of [
    { title: "one Service", service: "cart" },
    { title: "two Services of one workload", service: "second" },
  ]) {
    test(`by two users, of ${title}: one has it, the other is refused, and all goes back`, () =>
      everyCase(moments(count.start), { fresh }, async ({ at }, place) => {
        if (service !== "cart") place.secondService(service);
        const state = place.state();
        await using mine = place.daemon({ settings: quiet });
        await using yours = place.daemon({ ...other, service });
        const first = outcome(mine.expose());
        await reached(mine, at, first);
        const second = outcome(yours.expose());
        const [isMine, isYours] = await Promise.all([first, second]);
        assert.ok(!(isMine && isYours), "both have it");
        if (service === "cart" || at > 0) assert.ok(isMine || isYours, "nobody has it");
        if (isMine || isYours) assert.deepEqual(replicas(place), [0, 0]);
        if (isMine) await mine.stop();
        if (isYours) await yours.stop();
        await allBack(lab, place, state);
      }));
  }

  test("by one daemon, of two Services of one workload: both are exposed, and the last one to stop puts back", () =>
    everyCase(moments(count.start), { fresh }, async ({ at }, place) => {
      place.secondService("second");
      const key = serviceKey(namespaceOf(place.key), "second");
      const state = place.state();
      await using daemon = place.daemon({ settings: quiet });
      const first = daemon.expose();
      await reached(daemon, at, first);
      await Promise.all([first, daemon.expose({ key })]);
      assert.deepEqual(replicas(place), [0, 0]);
      const stops = [() => daemon.stop(), () => daemon.stop(key)];
      if (at % 3 === 0) await Promise.all(stops.map((stop) => stop()));
      else for (const stop of at % 3 === 1 ? stops : stops.reverse()) await stop();
      await allBack(lab, place, state);
    }));

  test("a start at any effect of another one's stop is exposed or refused, and remembers the right numbers", () =>
    everyCase(
      ["cart", "second"].flatMap((service) => moments(count.stop).map(({ at }) => ({ at, service }))),
      { fresh },
      async ({ at, service }, place) => {
        if (service !== "cart") place.secondService(service);
        const state = place.state();
        await using mine = place.daemon({ settings: quiet });
        await using yours = place.daemon({ ...other, service });
        await mine.expose();
        const before = mine.gate.effects.length;
        const stopped = mine.stop();
        await reached(mine, before + at, stopped);
        const isYours = await outcome(yours.expose());
        await stopped;
        if (at === count.stop) assert.ok(isYours, "nobody has it, and all was back");
        if (isYours) {
          // A workload that had no pods yet when the second one looked is found by them afterwards.
          const isDown = () => replicas(place).every((count) => count === 0);
          await waitFor("both workloads to be at 0", isDown, { timeoutMs: 10_000 });
          await yours.stop();
        }
        await allBack(lab, place, state);
      },
    ));

  test(
    "a start that looks after what is left, and an exposure of that Service: it goes back once, and is exposed",
    tableLimit,
    () =>
      everyCase(
        Array.from({ length: 24 }, (_, ms) => 4 * ms),
        { fresh },
        async (ms, place) => {
          const state = place.state();
          await using dead = place.daemon({ settings: quiet });
          await dead.expose();
          dead.gate.arm({ at: 0, fault: { kind: "kill", when: "before" } });
          await struck(dead.gate, dead.stop());
          await using next = place.daemon({ settings: quiet });
          const recovered = next.exposures.recover();
          await systemClock.sleep(ms);
          await next.expose();
          await recovered;
          assert.deepEqual(next.exposures.notices, []);
          assert.equal(next.gate.tries.filter((name) => name === "DELETE leases").length, 1);
          await next.stop();
          await allBack(lab, place, state);
        },
      ),
  );
});
