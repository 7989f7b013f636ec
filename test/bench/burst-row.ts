/** Row burst: many connections at once to a Service that nobody has used yet, far from the API server. */
import { setTimeout as sleep } from "node:timers/promises";
import { defaultPoolOptions } from "../../src/portforward/pool-options.ts";
import { type Contender, everyPort } from "./contender.ts";
import { demandAll, echoAll } from "./echo.ts";
import { openFarLab } from "./far-lab.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import { localizerContender } from "./localizer-contender.ts";
import { relayContender } from "./relay-contender.ts";
import { type Row, settleMs } from "./row.ts";
import { inTurns } from "./turns.ts";

const connections = 20;
const roundTripMs = 50;
const { connectionsPerPod } = defaultPoolOptions;
/** What a start has still to do goes on after its last word. */
const startedMs = 1_000;

const less = { better: "less" } as const;
const nearSlowest = { ...less, name: `slowest first byte of ${connections}`, unit: "ms" } as const;
const farSlowest = { ...less, name: `the same, ${roundTripMs} ms added`, unit: "ms" } as const;
const trips = { ...less, name: `the same, ${roundTripMs} ms added`, unit: "round trips", reach: "≤ 6" } as const;
const added = { ...less, name: "the same, less the slowest without", unit: "round trips" } as const;

const limits = `One pod, which may have ${connectionsPerPod} connections before streams share: each of the ${connections} gets its own, a handshake (TCP, TLS,
upgrade: three round trips, all at the same time) and then the first bytes. Beside the cable there is the work of ${connections} handshakes at once on the
processors that all share.`;

/** A fresh process for each sample: kubectl has its one connection by then, localizer has none. */
export const burstRow: Row = {
  limits,
  async measure({ settings, recorder, openLab, signal, log }) {
    recorder.note(`${connections} connections at once, the first ones of a fresh process, to a Service of one pod`);
    recorder.note(
      `far as in connect, with ${roundTripMs} ms; round trips: slowest far / ${roundTripMs} ms, and (slowest far − slowest near) / ${roundTripMs} ms`,
    );
    recorder.note("kubectl makes its one connection when it starts; relay dials for each anew, 2 round trips");
    await using lab = await openLab({ ports: everyPort });
    await using farLab = await openFarLab(lab, roundTripMs, signal);
    const slowestOf = async (contender: Contender) => {
      await using running = await contender.start(signal);
      await sleep(startedMs, undefined, { signal });
      const addresses = Array.from({ length: connections }, () => running.address("echo"));
      const outcome = await echoAll(addresses, { workers: connections, signal });
      demandAll(outcome);
      return Math.max(...outcome.latenciesMs);
    };
    const pairs = [
      { name: "localizer", near: localizerContender(lab), far: localizerContender(farLab) },
      { name: "kubectl", near: kubectlContender(lab), far: kubectlContender(farLab) },
      { name: "relay", near: relayContender(), far: relayContender(roundTripMs / 2) },
    ] as const;
    await inTurns(pairs, { repeats: settings.repeats, signal, log, recorder }, async ({ name, near, far }) => {
      const nearMs = await slowestOf(near);
      const farMs = await slowestOf(far);
      await sleep(settleMs / 2, undefined, { signal });
      return () => {
        recorder.add(nearSlowest, name, nearMs);
        recorder.add(farSlowest, name, farMs);
        recorder.add(trips, name, farMs / roundTripMs);
        recorder.add(added, name, (farMs - nearMs) / roundTripMs);
      };
    });
  },
};
