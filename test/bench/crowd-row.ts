/** Row crowd: more connections to one pod than it may have of its own, some of them stuck. */
import { everyPort } from "./contender.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import { localizerContender } from "./localizer-contender.ts";
import { openLongClients } from "./long-clients.ts";
import { relayContender } from "./relay-contender.ts";
import { type Row, warmUp } from "./row.ts";
import { percentile } from "./statistics.ts";
import { openStuckClients } from "./stuck-clients.ts";
import { inTurns } from "./turns.ts";

const longLived = 50;
const stuckOnes = 16;
const everyMs = 100;
const timeoutMs = 5_000;

const answered = {
  name: `long-lived connections of ${longLived} that answer`,
  unit: "",
  better: "more",
  reach: `${longLived}`,
} as const;
const ratio = { name: "p99 beside the stuck / before", unit: "", better: "less", reach: "≤ 2" } as const;
const before = { name: "p99 before", unit: "ms", better: "less", detail: true } as const;
const swallowed = { name: "swallowed", unit: "MB", better: "less", detail: true } as const;

const limits = `Past 8 connections to a pod streams share, up to 16 on one. A stream that gets stuck stalls its worker of the runtime, and with
it what shares the connection: how many of the ${longLived} answer is how well the stuck are kept apart from them. What the p99 still feels is
the work of filling the buffers of ${stuckOnes} connections, on the processors that all share.`;

/** First the long-lived, which share as it is, then the stuck ones. A fresh process for each sample. */
export const crowdRow: Row = {
  limits,
  async measure({ settings, recorder, openLab, signal, log }) {
    recorder.note(
      `${longLived} connections with an echo each ${everyMs} ms for ${settings.busyMs / 1000} s, then ${stuckOnes} to a port that never reads, then the same again; one pod`,
    );
    recorder.note(`one answers when each of its echoes came within ${timeoutMs / 1000} s`);
    await using lab = await openLab({ ports: everyPort });
    const contenders = [localizerContender(lab), kubectlContender(lab), relayContender()];
    const round = { everyMs, forMs: settings.busyMs, timeoutMs };
    await inTurns(contenders, { repeats: settings.repeats, signal, log, recorder }, async ({ name, start }) => {
      await using running = await start(signal);
      await warmUp(running, signal);
      await using clients = await openLongClients(running.address("echo"), longLived, signal);
      const alone = await clients.round(round);
      if (alone.answered < longLived)
        throw new Error(`${alone.answered} of ${longLived} answer, though nobody is stuck`);
      await using stuck = await openStuckClients(running.address("never-reads"), stuckOnes, signal);
      const beside = await clients.round(round);
      const p99 = percentile(alone.latenciesMs, 99);
      const beside99 = beside.latenciesMs.length === 0 ? "hang" : percentile(beside.latenciesMs, 99) / p99;
      return () => {
        recorder.add(answered, name, beside.answered);
        recorder.add(ratio, name, beside99);
        recorder.add(before, name, p99);
        recorder.add(swallowed, name, stuck.megabytes);
      };
    });
  },
};
