/** What an exposure does when the API server fails it at any of its reads, in the simulated cluster; as `fault-table.test.ts` for effects. */
import { after, before, describe, test } from "node:test";
import { allBack, everyCase, faultCases, quiet, smoothRun, tableLimit } from "./fault-cases.ts";
import type { EffectFault } from "./fault-gate.ts";
import { type FaultLab, openFaultLab } from "./fault-lab.ts";

// How many there are depends on how often something is looked at: the last ones may not come to be.
const unread: readonly EffectFault[] = [
  { kind: "refused", status: 403 },
  { kind: "refused", status: 409 },
  { kind: "refused", status: 500 },
  { kind: "away", times: 2 },
  { kind: "late", times: 1 },
];

describe("expose, failed at a read", () => {
  let lab: FaultLab;
  let reads: { readonly start: readonly string[]; readonly stop: readonly string[] };
  let namespaces = 0;

  const fresh = () => lab.namespace(`n${namespaces++}`);

  before(async () => {
    lab = await openFaultLab();
    const { start, stop } = await smoothRun(lab, fresh);
    reads = { start: start.reads, stop: stop.reads };
  });

  after(() => lab?.[Symbol.asyncDispose]());

  test("whatever fails at any read of its start: it is exposed, or everything is back", tableLimit, () =>
    everyCase(faultCases(unread, reads.start), { fresh }, async ({ index, fault }, place) => {
      const state = place.state();
      const plan = { at: index, fault, amongReads: true };
      await using daemon = place.daemon({ plan, settings: quiet });
      const isExposed = await daemon.expose().then(
        () => true,
        () => false,
      );
      if (isExposed) await daemon.stop().catch(() => daemon.stop());
      await allBack(lab, place, state);
    }),
  );

  test("whatever fails at any read of its stop: another stop ends it", tableLimit, () =>
    everyCase(faultCases(unread, reads.stop), { fresh }, async ({ index, fault }, place) => {
      const state = place.state();
      await using daemon = place.daemon({ settings: quiet });
      await daemon.expose();
      daemon.gate.arm({ at: index, fault, amongReads: true });
      await daemon.stop().catch(() => daemon.stop());
      await allBack(lab, place, state);
    }),
  );
});
