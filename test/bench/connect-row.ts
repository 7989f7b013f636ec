/** Row connect: how long a new connection takes until its first byte has come back. */
import { setTimeout as sleep } from "node:timers/promises";
import { demandAll, echoAll } from "./echo.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import { localizerContender } from "./localizer-contender.ts";
import { relayContender } from "./relay-contender.ts";
import { type Row, settleMs, warmUp } from "./row.ts";
import { percentile } from "./statistics.ts";
import { inTurnsRunning } from "./turns.ts";

const median = { name: "connect to first echoed byte, p50", unit: "ms", better: "less" } as const;
const tail = { name: "connect to first echoed byte, p99", unit: "ms", better: "less" } as const;

/** Connections one after the other, each with one byte there and back. */
export const connectRow: Row = async ({ settings, recorder, openLab, signal, log }) => {
  const { connects, repeats } = settings;
  recorder.note(`${connects} connections one after the other for each sample, after 20 for warm-up`);
  recorder.note("relay goes to an echo on loopback, not to the pod: the ceiling for a tool in Node, no cluster in it");
  await using lab = await openLab({ ports: ["echo"], services: 1 });
  const contenders = [localizerContender(lab), kubectlContender(lab), relayContender];
  await inTurnsRunning(
    contenders,
    { repeats, signal, log },
    {
      warmUp,
      async take({ name }, running) {
        const addresses = Array.from({ length: connects }, () => running.address("echo"));
        const outcome = await echoAll(addresses, { workers: 1, signal });
        await sleep(settleMs, undefined, { signal });
        demandAll(outcome);
        return () => {
          recorder.add(median, name, percentile(outcome.latenciesMs, 50));
          recorder.add(tail, name, percentile(outcome.latenciesMs, 99));
        };
      },
    },
  );
};
