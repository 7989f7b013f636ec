/** Row idle: what connections on which nothing happens cost in memory. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Contender, RunningContender } from "./contender.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import type { Lab } from "./lab.ts";
import { localizerContender } from "./localizer-contender.ts";
import { type LongClients, openLongClients } from "./long-clients.ts";
import { connectionsTo, footprint } from "./process-usage.ts";
import { relayContender } from "./relay-contender.ts";
import type { Measure } from "./results.ts";
import { type Row, warmUp } from "./row.ts";
import { inTurns } from "./turns.ts";

/** Connections to one pod before streams share. */
const perPod = 8;
/** Opened so many at a time, for the accept queue. */
const batch = 50;
/** localizer collects in the first quiet 2 s after a busy stretch, when no connection is open. */
const restMs = 6_000;

const less = { better: "less", unit: "KB" } as const;
const forwarded = { ...less, name: "an idle forwarded connection", reach: "≤ 24" } as const;
const withPool = { ...less, name: "the same, its share of connections to pods counted" } as const;
const pooled = { ...less, name: "a pooled connection that nobody uses", reach: "≤ 120" } as const;
const dataConnections = { name: "connections to pods, of these", unit: "", better: "less", detail: true } as const;

const limits = `A forwarded connection is a socket of Node and a stream's two buffers and listeners; a pooled one a TLS session, whose
buffers OpenSSL holds (32 KiB and more) beside Node's own. What V8 has allocated and not collected yet is in the figures while a connection is
open, for a collection would hold up every one.`;

/** A fresh process for each sample: memory that was used once is not always given back. */
export const idleRow: Row = {
  limits,
  async measure({ settings, recorder, openLab, signal, log }) {
    const { idleConnections: count, idlePods: pods, repeats } = settings;
    recorder.note(
      `PSS of the tool (localizer: both processes), each state at rest for ${restMs / 1000} s. ${pods} pods, so that ${count} connections need no more than the ${pods * perPod} to pods that localizer may have before it shares beyond 16 a piece`,
    );
    recorder.note(
      `isolated in three steps of one process: A after the first echoes; B after ${pods * perPod} connections at once, closed again, which leave as many pooled: pooled = (B − A) / pooled ones more; C with ${count} open ones, one echo each: forwarded = (C − B − pooled ones more × pooled) / ${count}, and with its share (C − A) / ${count}`,
    );
    recorder.note(
      "kubectl and relay have no pool: (C − B) / connections. kubectl's memory is what Go has not collected, too",
    );
    await using lab = await openLab({ ports: ["echo"], pods });
    const contenders = [localizerContender(lab), kubectlContender(lab), relayContender()];
    await inTurns(contenders, { repeats, signal, log }, async (contender) => {
      const samples = await sample(lab, contender, { count, atOnce: pods * perPod, signal });
      return () => {
        for (const [measure, value] of samples) recorder.add(measure, contender.name, value);
      };
    });
  },
};

async function sample(
  lab: Lab,
  contender: Contender,
  { count, atOnce, signal }: { readonly count: number; readonly atOnce: number; readonly signal: AbortSignal },
): Promise<readonly (readonly [Measure, number])[]> {
  await using running = await contender.start(signal);
  await warmUp(running, signal);
  const a = await atRest(lab, running, signal);
  await using pool = await openAll(running, atOnce, signal);
  await pool[Symbol.asyncDispose]();
  const b = await atRest(lab, running, signal);
  await using clients = await openAll(running, count, signal);
  const c = await atRest(lab, running, signal);
  await clients[Symbol.asyncDispose]();
  const kilobytes = (from: { bytes: number }, to: { bytes: number }) => (to.bytes - from.bytes) / 1000;
  if (contender.name !== "localizer") return [[forwarded, kilobytes(b, c) / count]];
  const pooledEach = b.data > a.data ? kilobytes(a, b) / (b.data - a.data) : Number.NaN;
  if (Number.isNaN(pooledEach)) throw new Error(`No more connections to pods than before: ${a.data}, ${b.data}`);
  const moreData = Math.max(0, c.data - b.data);
  return [
    [forwarded, (kilobytes(b, c) - moreData * pooledEach) / count],
    [withPool, kilobytes(a, c) / count],
    [pooled, pooledEach],
    [{ ...dataConnections, name: "connections to pods, A" }, a.data],
    [{ ...dataConnections, name: "connections to pods, B" }, b.data],
    [{ ...dataConnections, name: "connections to pods, C" }, c.data],
  ];
}

/** Memory, and TCP connections to the API server: beyond the first state's they are connections to pods. */
async function atRest(
  lab: Lab,
  { process: { pids } }: RunningContender,
  signal: AbortSignal,
): Promise<{ readonly bytes: number; readonly data: number }> {
  await sleep(restMs, undefined, { signal });
  const { host } = new URL(lab.cluster.server);
  return { bytes: footprint(pids).pssMiB * 2 ** 20, data: connectionsTo(pids, host).size };
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
