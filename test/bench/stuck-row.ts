/** Row stuck: applications that do not read beside a busy one. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Address, type Contender, everyPort, type PortName, type RunningContender } from "./contender.ts";
import { echoOnce } from "./echo.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import { localizerContender } from "./localizer-contender.ts";
import type { Measure, Value } from "./results.ts";
import { type Row, type RowContext, settleMs, warmUp } from "./row.ts";
import { percentile } from "./statistics.ts";
import { openStuckClients, type StuckClients } from "./stuck-clients.ts";
import { inTurns } from "./turns.ts";

const everyMs = 20;
const hangMs = 5_000;
/** So many, as in row rate, or compiling the code for the first ones is what "alone" shows. */
const warmUpConnections = 200;

/** Where the stuck ones are, and what is said of it. */
const places: readonly (readonly [port: PortName, where: string])[] = [
  ["never-reads", "of another port"],
  ["echo", "of the same port"],
];
/** One after the other beside the same busy one: these are all that are stuck then. */
const counts = [1, 8] as const;

const limits = `A stuck application fills the buffers on its way (sockets of every hop, the runtime's queues) and then stalls the worker of
the runtime that serves it, and with it the whole connection to the pod; nothing but a connection of its own keeps others free of that. What the
busy one still feels is the work of filling those buffers, and that the stuck ones hold connections to the pod.`;

/** A fresh process for each sample: kubectl does not recover. */
export const stuckRow: Row = {
  limits,
  async measure(context) {
    const { settings, recorder, openLab, signal, log } = context;
    recorder.note(
      `busy: a new connection with an echo every ${everyMs} ms for ${settings.busyMs / 1000} s, first alone, then beside the first stuck one, then beside all ${counts.at(-1)}, in the same process; before it ${warmUpConnections} connections and ${settleMs / 1000} s of rest`,
    );
    recorder.note(
      `stuck of another port: an application that never reads; of the same port: clients that never read their echoes, so that it stops reading. Filled until nothing moves for 1.5 s; they live when nobody has cut them by the end`,
    );
    recorder.note(
      `hang: no echo in ${hangMs / 1000} s; the ratio of p99 is of those with an echo, and "hangs" where none had one`,
    );
    await using lab = await openLab({ ports: everyPort });
    const contenders = [localizerContender(lab), kubectlContender(lab)];
    for (const place of places) {
      await inTurns(contenders, { repeats: settings.repeats, signal, log, recorder }, async (contender) => {
        const samples = await sample(contender, place, context);
        return () => recorder.addAll(samples, contender.name);
      });
    }
  },
};

type Sample = readonly [Measure, Value];

async function sample(
  contender: Contender,
  [port, where]: (typeof places)[number],
  { settings, signal }: RowContext,
): Promise<readonly Sample[]> {
  await using running: RunningContender = await contender.start(signal);
  await warmUp(running, signal, warmUpConnections);
  await sleep(settleMs, undefined, { signal });
  const address = running.address("echo");
  const alone = await busy(address, settings.busyMs, signal);
  if (alone.latenciesMs.length === 0) throw new Error("Nothing answers, though nobody is stuck");
  const before = percentile(alone.latenciesMs, 99);
  await using all = new AsyncDisposableStack();
  const groups: StuckClients[] = [];
  const samples: Sample[] = [];
  let opened = 0;
  for (const count of counts) {
    groups.push(all.use(await openStuckClients(running.address(port), count - opened, signal)));
    opened = count;
    const beside = await busy(address, settings.busyMs, signal);
    const living = groups.reduce((sum, group) => sum + group.living(), 0);
    const megabytes = groups.reduce((sum, group) => sum + group.megabytes, 0);
    const ratio = beside.latenciesMs.length === 0 ? "hangs" : percentile(beside.latenciesMs, 99) / before;
    const name = (what: string) => ({ name: `${count} stuck ${where}: ${what}` });
    samples.push(
      [{ ...name("busy one's p99 beside / alone"), unit: "", better: "less", reach: "≤ 1.5" }, ratio],
      [{ ...name("connections that hang or fail"), unit: "%", better: "less", reach: "0" }, beside.failedPercent],
      [{ ...name("stuck ones that live"), unit: "", better: "more" }, living],
      [{ ...name("busy one's p99 alone"), unit: "ms", better: "less", detail: true }, before],
      [{ ...name("swallowed"), unit: "MB", better: "less", detail: true }, megabytes],
    );
  }
  return samples;
}

/** Connections at a steady pace, however long each takes. Ends early where the first ones have hung and none had an echo. */
async function busy(
  address: Address,
  forMs: number,
  signal: AbortSignal,
): Promise<{ readonly latenciesMs: readonly number[]; readonly failedPercent: number }> {
  const latenciesMs: number[] = [];
  const open: Promise<void>[] = [];
  const hungMs = performance.now() + hangMs;
  for (let nextMs = performance.now(), end = nextMs + forMs; nextMs < end; nextMs += everyMs) {
    const echoed = echoOnce(address, hangMs).then((ms) => void latenciesMs.push(ms));
    open.push(echoed.catch(() => {}));
    await sleep(Math.max(0, nextMs + everyMs - performance.now()), undefined, { signal });
    if (latenciesMs.length === 0 && performance.now() > hungMs) break;
  }
  await Promise.all(open);
  return { latenciesMs, failedPercent: (100 * (open.length - latenciesMs.length)) / open.length };
}
