/** Row idle: what connections on which nothing happens cost in memory. */
import { setTimeout as sleep } from "node:timers/promises";
import { defaultPoolOptions } from "../../src/portforward/pool-options.ts";
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

/** Connections at once of the first step and of the second: each leaves a pooled one. Few enough for their pings to be rest. */
const few = 24;
const more = 96;
/** With fewer between the steps the difference is lost in what a process grows by anyway. */
const leastPooled = 40;
const tooFew = "too few to tell";
/** Opened so many at a time, for the accept queue. */
const batch = 50;
/** With connections open, or where the tool does not collect by itself. */
const restMs = 5_000;
/** localizer collects after half a minute of rest without connections, which it looks for each 10 s. */
const collectedMs = 45_000;
const { connections, connectionsPerPod, connectionsPerPodCrowded } = defaultPoolOptions;

const less = { better: "less", unit: "KB" } as const;
const forwarded = { ...less, name: "an idle forwarded connection", reach: "≤ 24" } as const;
const withPool = { ...less, name: "the same with its share of the connections to pods" } as const;
const pooledOne = { ...less, name: "a pooled connection that nobody uses", reach: "≤ 120" } as const;

const limits = `A forwarded connection is a socket of Node and a stream with its buffers and listeners; a pooled one a TLS session with
OpenSSL's buffers beside Node's own. While a connection is open localizer does not collect, for a collection would hold up every one: what
V8 has allocated and not given back yet is in the figure of a forwarded one, too. Each forwarded connection has a pooled one of its own until there
are ${connectionsPerPod} to its pod or ${connections / 2} in all; further ones share those where their pod has ${connectionsPerPodCrowded}. The pooled one is a part of the price, so
both figures are there, with and without.`;

/** A fresh process for each sample: memory that was used once is not always given back. */
export const idleRow: Row = {
  limits,
  async measure({ settings, recorder, openLab, signal, log }) {
    const { idleConnections: count, idlePods: pods, idleRestMs, longRepeats: repeats } = settings;
    recorder.note(
      `PSS of the tool (localizer: both processes), ${restMs / 1000} s after what was done last; ${pods} pods; of localizer without connections ${idleRestMs / 1000} s after, ${idleRestMs < collectedMs ? "too early for its collection: garbage is in the figures" : "long enough for its collection"}`,
    );
    recorder.note(
      `localizer in three steps of one process: A after ${few} connections at once, closed again, which leave as many pooled; B after ${more}; C with ${count} open ones, one echo each. Pooled = (B − A) / pooled ones more; forwarded = (C − B − pooled ones more × pooled) / ${count}; with its share = (C − B + all pooled ones of B × pooled) / ${count}: what the forwarded ones and all pooled ones of C (how many is in the JSON file) take together, divided among the ${count}`,
    );
    recorder.note(
      "kubectl and relay have no pool: what they grow by with the connections open, in both figures. kubectl's memory is what Go has not collected, too",
    );
    recorder.note(`"${tooFew}": less than ${leastPooled} pooled ones between A and B`);
    await using lab = await openLab({ ports: ["echo"], pods });
    const contenders = [localizerContender(lab), kubectlContender(lab), relayContender()];
    await inTurns(contenders, { repeats, signal, log, recorder }, async (contender) => {
      const samples = await sample(lab, contender, { count, idleRestMs, signal });
      return () => recorder.addAll(samples, contender.name);
    });
  },
};

async function sample(
  lab: Lab,
  contender: Contender,
  { count, idleRestMs, signal }: { readonly count: number; readonly idleRestMs: number; readonly signal: AbortSignal },
): Promise<readonly (readonly [Measure, Value])[]> {
  await using running = await contender.start(signal);
  const ofApi = connectionsTo(running.process.pids, new URL(lab.cluster.server).host).size;
  await warmUp(running, signal);
  const rest = async (forMs = restMs) => {
    await sleep(forMs, undefined, { signal });
    return stateOf(lab, running, ofApi);
  };
  if (contender.name !== "localizer") {
    const before = await rest();
    await using _clients = await openAll(running, count, signal);
    const each = ((await rest()).kilobytes - before.kilobytes) / count;
    return [
      [forwarded, each],
      [withPool, each],
    ];
  }
  // Else those that are not free again yet would have others made beside them.
  await sleep(restMs, undefined, { signal });
  await openAndClose(running, few, signal);
  const a = await rest(idleRestMs);
  await openAndClose(running, more, signal);
  const b = await rest(idleRestMs);
  await using _clients = await openAll(running, count, signal);
  const c = await rest();
  const isEnough = b.pooled - a.pooled >= leastPooled;
  const pooledEach = isEnough ? (b.kilobytes - a.kilobytes) / (b.pooled - a.pooled) : undefined;
  /** What C has more than B without so many pooled ones of it, for each forwarded one. */
  const without = (pooled: number) =>
    pooledEach === undefined ? tooFew : (c.kilobytes - b.kilobytes - pooled * pooledEach) / count;
  return [
    [forwarded, without(c.pooled - b.pooled)],
    [withPool, without(-b.pooled)],
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
function stateOf(
  lab: Lab,
  { process: { pids } }: RunningContender,
  ofApi: number,
): { readonly kilobytes: number; readonly pooled: number } {
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
