/** Row bulk: many bytes on one connection, each way, and what they cost the tool. */
import { setTimeout as sleep } from "node:timers/promises";
import { kubectlContender } from "./kubectl-contender.ts";
import { localizerContender } from "./localizer-contender.ts";
import { cpuSeconds } from "./process-usage.ts";
import { relayContender } from "./relay-contender.ts";
import { type Row, warmUp } from "./row.ts";
import { download, upload } from "./transfer.ts";
import { inTurnsRunning } from "./turns.ts";

const up = {
  speed: { name: "up", unit: "MB/s", better: "more" },
  cost: { name: "up, tool CPU", unit: "s/GB", better: "less" },
} as const;
const down = {
  speed: { name: "down", unit: "MB/s", better: "more" },
  cost: { name: "down, tool CPU", unit: "s/GB", better: "less" },
  afterwards: { name: "down, tool CPU after hanging up", unit: "s", better: "less" },
} as const;

/** The runtime goes on sending for about a second after the client has hung up. */
const settleMs = 2_000;

/** One connection to the sink, then one to the source. MB and GB are decimal. */
export const bulkRow: Row = async ({ settings, recorder, openLab, signal, log }) => {
  const { bulkBytes, repeats } = settings;
  const [megabytes, gigabytes] = [bulkBytes / 1e6, bulkBytes / 1e9];
  recorder.note(`${bulkBytes / 2 ** 20} MiB on one connection each way; relay is the ceiling as in connect`);
  recorder.note("up ends when the application in the pod has read the last byte; down hangs up on an endless source");
  await using lab = await openLab({ ports: ["echo", "sink", "source"], services: 1 });
  const contenders = [localizerContender(lab), kubectlContender(lab), relayContender];
  await inTurnsRunning(
    contenders,
    { repeats, signal, log },
    {
      warmUp,
      async take({ name }, running) {
        const { pids } = running.process;
        const end = running.applicationBytesRead() + bulkBytes;
        const arrived = () => running.applicationBytesRead() >= end;
        const beforeUp = cpuSeconds(pids);
        const upSeconds = await upload(running.address("sink"), bulkBytes, { arrived, signal });
        const afterUp = cpuSeconds(pids);
        await sleep(settleMs, undefined, { signal });
        const beforeDown = cpuSeconds(pids);
        const downSeconds = await download(running.address("source"), bulkBytes, signal);
        const afterDown = cpuSeconds(pids);
        await sleep(settleMs, undefined, { signal });
        const atRest = cpuSeconds(pids);
        return () => {
          recorder.add(up.speed, name, megabytes / upSeconds);
          recorder.add(up.cost, name, (afterUp - beforeUp) / gigabytes);
          recorder.add(down.speed, name, megabytes / downSeconds);
          recorder.add(down.cost, name, (afterDown - beforeDown) / gigabytes);
          recorder.add(down.afterwards, name, atRest - afterDown);
        };
      },
    },
  );
};
