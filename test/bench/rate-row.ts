/** Row rate: how many new connections a second, and what one of them costs the tool. */
import { setTimeout as sleep } from "node:timers/promises";
import { demandAll, echoAll } from "./echo.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import { localizerContender } from "./localizer-contender.ts";
import { cpuSeconds } from "./process-usage.ts";
import { relayContender } from "./relay-contender.ts";
import { type Row, settleMs, warmUp } from "./row.ts";
import { inTurnsRunning } from "./turns.ts";

const rate = { name: "new connections", unit: "1/s", better: "more" } as const;
const cost = { name: "tool CPU per connection", unit: "ms", better: "less" } as const;

/** Several workers, each connect, one byte there and back, close. */
export const rateRow: Row = async ({ settings, recorder, openLab, signal, log }) => {
  const { connections, workers, repeats } = settings;
  recorder.note(`${connections} connections of ${workers} workers for each sample`);
  recorder.note(
    `CPU is counted until ${settleMs / 1000} s after the last echo: the end of a connection is a part of it`,
  );
  recorder.note("cluster, tool and load generator share the processors: compare the CPU rather than the rate");
  recorder.note("relay is the ceiling as in connect, and its rate is the load generator's own limit");
  await using lab = await openLab({ ports: ["echo"], services: 1 });
  const contenders = [localizerContender(lab), kubectlContender(lab), relayContender];
  await inTurnsRunning(
    contenders,
    { repeats, signal, log },
    {
      warmUp,
      async take({ name }, running) {
        const { pids } = running.process;
        const addresses = Array.from({ length: connections }, () => running.address("echo"));
        const before = cpuSeconds(pids);
        const outcome = await echoAll(addresses, { workers, signal });
        await sleep(settleMs, undefined, { signal });
        const cpuMs = (cpuSeconds(pids) - before) * 1000;
        demandAll(outcome);
        return () => {
          recorder.add(rate, name, connections / (outcome.elapsedMs / 1000));
          recorder.add(cost, name, cpuMs / connections);
        };
      },
    },
  );
};
