/** Row rate: how many new connections a second, and what one of them costs the tool. */

import { setTimeout as sleep } from "node:timers/promises";
import { everyPort } from "./contender.ts";
import { demandAll, echoAll } from "./echo.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import { localizerContender } from "./localizer-contender.ts";
import { cpuSeconds } from "./process-usage.ts";
import { relayContender } from "./relay-contender.ts";
import { type Row, settleMs } from "./row.ts";
import { inTurnsRunning } from "./turns.ts";

const rate = { name: "new connections", unit: "1/s", better: "more", reach: "≥ 1.2 × kubectl" } as const;
const cost = { name: "tool CPU per connection", unit: "ms", better: "less", reach: "≤ 0.5 × kubectl" } as const;
const failed = { name: "connections that failed", unit: "", better: "less", reach: "0" } as const;

/** More than elsewhere: what is asked is the cost of one of many, not of compiling the code for the first ones. */
const warmUpConnections = 200;

const limits = `API server, kubelet and container runtime work for each connection on the processors that tool and load generator share,
so the rate of any tool has a ceiling below relay's. localizer gives a connection to the pod to the next client only when it is known how the last
one ended (a read of the kernel's table of sockets, one for all who ask, with a pause behind each) and five pings are back. Its CPU goes into the
accepted socket, two SYNs, a FIN, five pings and those reads.`;

/** Several workers, each connect, one byte there and back, close. */
export const rateRow: Row = {
  limits,
  async measure({ settings, recorder, openLab, signal, log }) {
    const { connections, workers, repeats } = settings;
    recorder.note(
      `${connections} connections of ${workers} workers for each sample, after ${warmUpConnections} for warm-up; the rate is of those that worked`,
    );
    recorder.note(
      `CPU is counted until ${settleMs / 1000} s after the last echo: the end of a connection is a part of it`,
    );
    recorder.note("cluster, tool and load generator share the processors: compare the CPU rather than the rate");
    recorder.note("relay is the ceiling as in connect, and its rate is the load generator's own limit");
    await using lab = await openLab({ ports: everyPort });
    const contenders = [localizerContender(lab), kubectlContender(lab), relayContender()];
    await inTurnsRunning(
      contenders,
      { repeats, signal, log, recorder },
      {
        async warmUp(running) {
          const addresses = Array.from({ length: warmUpConnections }, () => running.address("echo"));
          demandAll(await echoAll(addresses, { workers, signal }));
          await sleep(settleMs, undefined, { signal });
        },
        async take({ name }, running) {
          const { pids } = running.process;
          const addresses = Array.from({ length: connections }, () => running.address("echo"));
          const before = cpuSeconds(pids);
          const outcome = await echoAll(addresses, { workers, signal });
          await sleep(settleMs, undefined, { signal });
          const cpuMs = (cpuSeconds(pids) - before) * 1000;
          const worked = outcome.latenciesMs.length;
          if (worked === 0) throw new Error(`No connection worked: ${outcome.firstError?.message}`);
          return () => {
            recorder.add(rate, name, worked / (outcome.elapsedMs / 1000));
            recorder.add(cost, name, cpuMs / worked);
            recorder.add(failed, name, outcome.failed);
          };
        },
      },
    );
  },
};
