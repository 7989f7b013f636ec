/** Row crowd: more connections to one pod than it may have of its own, some of them stuck. */
import { setTimeout as sleep } from "node:timers/promises";
import { defaultPoolOptions } from "../../src/portforward/pool-options.ts";
import { type Contender, everyPort } from "./contender.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import { localizerContender } from "./localizer-contender.ts";
import { openLongClients } from "./long-clients.ts";
import { relayContender } from "./relay-contender.ts";
import type { Measure, Value } from "./results.ts";
import { type Row, type RowContext, settleMs, warmUp } from "./row.ts";
import { percentile } from "./statistics.ts";
import { openStuckClients } from "./stuck-clients.ts";
import { inTurns } from "./turns.ts";

/** With the stuck ones more than have a connection of their own, and far more: that many share. */
const sizes = [50, 150] as const;
const stuckOnes = 16;
const everyMs = 100;
const timeoutMs = 5_000;
const { connectionsPerPod, connectionsPerPodAtMost, streamsPerConnection } = defaultPoolOptions;

const limits = `Past ${connectionsPerPod} connections to a pod, those that read too slowly not counted and ${connectionsPerPodAtMost} at most, streams share, up to ${streamsPerConnection} on
one. A stream that gets stuck stalls its worker of the runtime, and with it what shares the connection: how many of the long-lived answer is how
well the stuck are kept apart from them. What the p99 still feels is the work of filling the buffers of ${stuckOnes} connections, on the processors
that all share.`;

/** First the long-lived, then the stuck ones. A fresh process for each sample. */
export const crowdRow: Row = {
  limits,
  async measure(context) {
    const { settings, recorder, openLab, signal, log } = context;
    recorder.note(
      `${sizes.join(" and ")} connections with an echo each ${everyMs} ms for ${settings.crowdMs / 1000} s, then ${stuckOnes} to a port that never reads, then the same again; one pod`,
    );
    recorder.note(
      `one answers when each of its echoes came within ${timeoutMs / 1000} s; a stuck one lives when nobody has cut it by the end`,
    );
    await using lab = await openLab({ ports: everyPort });
    const contenders = [localizerContender(lab), kubectlContender(lab), relayContender()];
    for (const size of sizes) {
      await inTurns(contenders, { repeats: settings.longRepeats, signal, log, recorder }, async (contender) => {
        const samples = await sample(contender, size, context);
        return () => recorder.addAll(samples, contender.name);
      });
    }
  },
};

async function sample(
  { start }: Contender,
  size: number,
  { settings, signal }: RowContext,
): Promise<readonly (readonly [Measure, Value])[]> {
  const round = { everyMs, forMs: settings.crowdMs, timeoutMs };
  await using running = await start(signal);
  await warmUp(running, signal);
  await using clients = await openLongClients(running.address("echo"), size, signal);
  await sleep(settleMs, undefined, { signal });
  const alone = await clients.round(round);
  if (alone.answered < size) throw new Error(`${alone.answered} of ${size} answer, though nobody is stuck`);
  await using stuck = await openStuckClients(running.address("never-reads"), stuckOnes, signal);
  const beside = await clients.round(round);
  const p99 = percentile(alone.latenciesMs, 99);
  const ratio = beside.latenciesMs.length === 0 ? "hang" : percentile(beside.latenciesMs, 99) / p99;
  const more = { unit: "", better: "more" } as const;
  const detail = { better: "less", detail: true } as const;
  return [
    [{ ...more, name: `long-lived connections that answer, of ${size}`, reach: `${size}` }, beside.answered],
    [{ name: `${size}: p99 beside the stuck / before`, unit: "", better: "less", reach: "≤ 2" }, ratio],
    [{ ...more, name: `${size}: stuck ones that live, of ${stuckOnes}` }, stuck.living()],
    [{ ...detail, name: `${size}: p99 before`, unit: "ms" }, p99],
    [{ ...detail, name: `${size}: swallowed`, unit: "MB" }, stuck.megabytes],
  ];
}
