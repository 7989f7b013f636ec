/** Row bulk: many bytes on one connection and on eight, each way, and what they cost the tool. */
import { setTimeout as sleep } from "node:timers/promises";
import { everyPort, type RunningContender } from "./contender.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import { localizerContender } from "./localizer-contender.ts";
import { cpuSeconds } from "./process-usage.ts";
import { relayContender } from "./relay-contender.ts";
import type { Measure } from "./results.ts";
import { type Row, warmUp } from "./row.ts";
import { download, upload } from "./transfer.ts";
import { inTurnsRunning } from "./turns.ts";

const connectionCounts = [1, 8] as const;

/** The runtime goes on sending for about a second after the client has hung up. */
const settleMs = 2_000;

type Timed = (running: RunningContender, bytes: number, count: number) => Promise<{ seconds: number; cpu: number }>;

const limits = `The container runtime and the way to it: every byte goes through the API server's TLS, the kubelet and the runtime, which
writes a frame in three pieces of up to 32 KiB, and all of them share the processors with the tool. localizer's own part is TLS (one
copy and one pass of the cipher for each byte); TLS records of 16 KiB set the number of its reads. Eight connections gain where more
than one processor is free. After a download is dropped the connection to the pod is closed, so that nothing more has to be read.`;

/** Connections to the sink, then to the source. MB and GB are decimal. */
export const bulkRow: Row = {
  limits,
  async measure({ settings, recorder, openLab, signal, log }) {
    const { bulkBytes, repeats } = settings;
    const [megabytes, gigabytes] = [bulkBytes / 1e6, bulkBytes / 1e9];
    recorder.note(
      `${bulkBytes / 2 ** 20} MiB in all each way, on one connection or ${connectionCounts[1]}; relay is the ceiling as in connect`,
    );
    recorder.note(
      "up ends when the application in the pod has read the last byte; down hangs up on an endless source, and the tool's CPU is watched for 2 s more",
    );
    await using lab = await openLab({ ports: everyPort });
    const contenders = [localizerContender(lab), kubectlContender(lab), relayContender()];
    const up: Timed = async (running, bytes, count) => {
      const end = running.applicationBytesRead() + bytes * count;
      const arrived = () => running.applicationBytesRead() >= end;
      return await timed(running, count, () => upload(running.address("sink"), bytes, { arrived, signal }));
    };
    const down: Timed = (running, bytes, count) =>
      timed(running, count, () => download(running.address("source"), bytes, signal));
    await inTurnsRunning(
      contenders,
      { repeats, signal, log, recorder },
      {
        warmUp,
        async take({ name }, running) {
          const samples: [Measure, number][] = [];
          for (const count of connectionCounts) {
            const on = count === 1 ? "1 connection" : `${count} connections`;
            for (const [way, transfer] of [
              ["up", up],
              ["down", down],
            ] as const) {
              const { seconds, cpu } = await transfer(running, bulkBytes / count, count);
              const endCpu = cpuSeconds(running.process.pids);
              await sleep(settleMs, undefined, { signal });
              samples.push(
                [
                  { name: `${way}, ${on}`, unit: "MB/s", better: "more", reach: "≥ 1.0 × kubectl" },
                  megabytes / seconds,
                ],
                [
                  { name: `${way}, ${on}, tool CPU`, unit: "s/GB", better: "less", reach: "≤ 0.8 × kubectl" },
                  cpu / gigabytes,
                ],
              );
              if (way === "up") continue;
              const name = `${way}, ${on}, tool CPU after hanging up`;
              samples.push([
                { name, unit: "s", better: "less", reach: "≤ 0.05" },
                cpuSeconds(running.process.pids) - endCpu,
              ]);
            }
          }
          return () => recorder.addAll(samples, name);
        },
      },
    );
  },
};

/** So many at once, until the last has ended. */
async function timed(
  { process: { pids } }: RunningContender,
  count: number,
  transfer: () => Promise<number>,
): Promise<{ readonly seconds: number; readonly cpu: number }> {
  const before = cpuSeconds(pids);
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: count }, transfer));
  return { seconds: (performance.now() - startedMs) / 1000, cpu: cpuSeconds(pids) - before };
}
