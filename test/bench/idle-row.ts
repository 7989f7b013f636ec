/** Row idle: what connections on which nothing happens cost in memory. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Contender, RunningContender } from "./contender.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import type { Lab } from "./lab.ts";
import { localizerContender } from "./localizer-contender.ts";
import { type LongClients, openLongClients } from "./long-clients.ts";
import { connectionsTo, footprint } from "./process-usage.ts";
import { relayContender } from "./relay-contender.ts";
import type { Measure, Value } from "./results.ts";
import { type Row, warmUp } from "./row.ts";
import { inTurns } from "./turns.ts";

/** Connections to one pod before streams share. */
const perPod = 8;
/** Of the first step. */
const few = 2;
/** With fewer between the steps the difference is lost in what a process grows by anyway. */
const leastPooled = 40;
const tooFew = "too few to tell";
/** Opened so many at a time, for the accept queue. */
const batch = 50;
/** localizer collects in the first quiet 2 s after a busy stretch, when no connection is open. */
const restMs = 5_000;

const less = { better: "less", unit: "KB" } as const;
const forwarded = { ...less, name: "an idle forwarded connection", reach: "≤ 24" } as const;
const withPool = { ...less, name: "the same, its share of connections to pods counted" } as const;
const pooledOne = { ...less, name: "a pooled connection that nobody uses", reach: "≤ 120" } as const;

const limits = `A forwarded connection is a socket of Node and a stream with its buffers and listeners; a pooled one a TLS session with
OpenSSL's buffers beside Node's own. While a connection is open localizer does not collect, for a collection would hold up every one: what
V8 has allocated and not given back yet is in the figure, too.`;

/** A fresh process for each sample: memory that was used once is not always given back. */
export const idleRow: Row = {
  limits,
  async measure({ settings, recorder, openLab, signal, log }) {
    const { idleConnections: count, idlePods: pods, fewerRepeats: repeats } = settings;
    recorder.note(
      `PSS of the tool (localizer: both processes), each state at rest for ${restMs / 1000} s. ${pods} pods, so that ${count} connections need no more than the ${pods * perPod} to pods that localizer may have before it shares beyond 16 a piece`,
    );
    recorder.note(
      `isolated in three steps of one process: A after ${pods * few} connections at once, closed again, which leave as many pooled; B after ${pods * perPod}: pooled = (B − A) / pooled ones more; C with ${count} open ones, one echo each: forwarded = (C − B − pooled ones more × pooled) / ${count}, and with its share of all pooled ones (C − B + pooled ones × pooled) / ${count}`,
    );
    recorder.note(
      "kubectl and relay have no pool: what they grow by with the connections open. kubectl's memory is what Go has not collected, too",
    );
    recorder.note(`"${tooFew}": less than ${leastPooled} pooled ones between A and B; --quick has fewer pods`);
    await using lab = await openLab({ ports: ["echo"], pods });
    const contenders = [localizerContender(lab), kubectlContender(lab), relayContender()];
    await inTurns(contenders, { repeats, signal, log, recorder }, async (contender) => {
      const samples = await sample(lab, contender, { count, pods, signal });
      return () => {
        for (const [measure, value] of samples) recorder.add(measure, contender.name, value);
      };
    });
  },
};

async function sample(
  lab: Lab,
  contender: Contender,
  { count, pods, signal }: { readonly count: number; readonly pods: number; readonly signal: AbortSignal },
): Promise<readonly (readonly [Measure, Value])[]> {
  await using running = await contender.start(signal);
  const ofApi = connectionsTo(running.process.pids, new URL(lab.cluster.server).host).size;
  await warmUp(running, signal);
  const rest = () => atRest(lab, running, ofApi, signal);
  if (contender.name !== "localizer") {
    const before = await rest();
    await using _clients = await openAll(running, count, signal);
    return [[forwarded, ((await rest()).kilobytes - before.kilobytes) / count]];
  }
  // Else those that are not free again yet would have others made beside them.
  await sleep(restMs, undefined, { signal });
  await openAndClose(running, pods * few, signal);
  const a = await rest();
  await openAndClose(running, pods * perPod, signal);
  const b = await rest();
  await using _clients = await openAll(running, count, signal);
  const c = await rest();
  const grown = (c.kilobytes - b.kilobytes) / count;
  const isEnough = b.pooled - a.pooled >= leastPooled;
  const pooledEach = isEnough ? (b.kilobytes - a.kilobytes) / (b.pooled - a.pooled) : undefined;
  const more = Math.max(0, c.pooled - b.pooled);
  return [
    [forwarded, grown - (more * (pooledEach ?? 0)) / count],
    [withPool, pooledEach === undefined ? tooFew : grown + (b.pooled * pooledEach) / count],
    [pooledOne, pooledEach ?? tooFew],
    ...[a, b, c].flatMap(({ kilobytes, pooled }, index) => {
      const step = "ABC"[index];
      return [
        [{ ...less, name: `memory, ${step}`, detail: true } as const, kilobytes] as const,
        [{ ...less, unit: "", name: `connections to pods, ${step}`, detail: true } as const, pooled] as const,
      ];
    }),
  ];
}

/** Memory, and connections to pods: those to the API server but the ones that were there before the first use. */
async function atRest(
  lab: Lab,
  { process: { pids } }: RunningContender,
  ofApi: number,
  signal: AbortSignal,
): Promise<{ readonly kilobytes: number; readonly pooled: number }> {
  await sleep(restMs, undefined, { signal });
  const { host } = new URL(lab.cluster.server);
  return {
    kilobytes: (footprint(pids).pssMiB * 2 ** 20) / 1000,
    pooled: connectionsTo(pids, host).size - ofApi,
  };
}

async function openAndClose(running: RunningContender, count: number, signal: AbortSignal): Promise<void> {
  await using _clients = await openAll(running, count, signal);
}

async function openAll(running: RunningContender, count: number, signal: AbortSignal): Promise<AsyncDisposable> {
  await using all = new AsyncDisposableStack();
  for (let left = count; left > 0; left -= batch) {
    const clients: LongClients = await openLongClients(running.address("echo"), Math.min(batch, left), signal);
    all.use(clients);
  }
  const works = all.move();
  return { [Symbol.asyncDispose]: () => works.disposeAsync() };
}
