/** Row stuck: applications that do not read beside a busy one. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Address, type Contender, everyPort, type PortName, type RunningContender } from "./contender.ts";
import { echoOnce } from "./echo.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import { localizerContender } from "./localizer-contender.ts";
import type { Measure, Value } from "./results.ts";
import { type Row, type RowContext, warmUp } from "./row.ts";
import { percentile } from "./statistics.ts";
import { openStuckClients } from "./stuck-clients.ts";
import { inTurns } from "./turns.ts";

const everyMs = 20;
const hangMs = 5_000;

/** Where the stuck ones are, and what is said of it. */
const places: readonly (readonly [port: PortName, where: string])[] = [
  ["never-reads", "of another port"],
  ["echo", "of the same port"],
];
const counts = [1, 8] as const;

const limits = `A stuck application fills the buffers on its way (sockets of every hop, the runtime's queues) and then stalls the worker of
the runtime that serves it, and with it the whole connection to the pod; nothing but a connection of its own keeps others free of that. What the
busy one still feels is the work of filling those buffers, and that the stuck ones hold connections to the pod.`;

/** A fresh process for each figure: kubectl does not recover. */
export const stuckRow: Row = {
  limits,
  async measure(context) {
    const { settings, recorder, openLab, signal, log } = context;
    recorder.note(
      `busy: a new connection with an echo every ${everyMs} ms for ${settings.busyMs / 1000} s, first alone, then beside the stuck ones, in the same process`,
    );
    recorder.note(
      `stuck of another port: an application that never reads; of the same port: clients that never read their echoes, so that it stops reading. Filled until nothing moves for 1.5 s`,
    );
    recorder.note(
      `hang: no echo in ${hangMs / 1000} s; the ratio of p99 is of those with an echo, and "hangs" where none had one`,
    );
    await using lab = await openLab({ ports: everyPort });
    const contenders = [localizerContender(lab), kubectlContender(lab)];
    for (const [port, where] of places) {
      for (const count of counts) {
        await inTurns(contenders, { repeats: settings.fewerRepeats, signal, log, recorder }, async (contender) => {
          const samples = await sample(contender, { port, count, where: `${count} stuck ${where}` }, context);
          return () => {
            for (const [measure, value] of samples) recorder.add(measure, contender.name, value);
          };
        });
      }
    }
  },
};

async function sample(
  contender: Contender,
  { port, count, where }: { readonly port: PortName; readonly count: number; readonly where: string },
  { settings, signal }: RowContext,
): Promise<readonly (readonly [Measure, Value])[]> {
  await using running: RunningContender = await contender.start(signal);
  await warmUp(running, signal);
  const address = running.address("echo");
  const alone = await busy(address, settings.busyMs, signal);
  if (alone.latenciesMs.length === 0) throw new Error("Nothing answers, though nobody is stuck");
  await using stuck = await openStuckClients(running.address(port), count, signal);
  const beside = await busy(address, settings.busyMs, signal);
  const before = percentile(alone.latenciesMs, 99);
  const ratio = beside.latenciesMs.length === 0 ? "hangs" : percentile(beside.latenciesMs, 99) / before;
  return [
    [{ name: `${where}: busy one's p99 beside / alone`, unit: "", better: "less", reach: "≤ 1.5" }, ratio],
    [{ name: `${where}: connections that hang or fail`, unit: "%", better: "less", reach: "0" }, beside.failedPercent],
    [{ name: `${where}: busy one's p99 alone`, unit: "ms", better: "less", detail: true }, before],
    [{ name: `${where}: swallowed`, unit: "MB", better: "less", detail: true }, stuck.megabytes],
  ];
}

/** Connections at a steady pace, however long each takes. */
async function busy(
  address: Address,
  forMs: number,
  signal: AbortSignal,
): Promise<{ readonly latenciesMs: readonly number[]; readonly failedPercent: number }> {
  const latenciesMs: number[] = [];
  const open: Promise<void>[] = [];
  for (let nextMs = performance.now(), end = nextMs + forMs; nextMs < end; nextMs += everyMs) {
    const echoed = echoOnce(address, hangMs).then((ms) => void latenciesMs.push(ms));
    open.push(echoed.catch(() => {}));
    await sleep(Math.max(0, nextMs + everyMs - performance.now()), undefined, { signal });
  }
  await Promise.all(open);
  return { latenciesMs, failedPercent: (100 * (open.length - latenciesMs.length)) / open.length };
}
