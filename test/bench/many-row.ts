/** Row many: a namespace with many Services, from the start to the end of the tool. */
import { setTimeout as sleep } from "node:timers/promises";
import { demandAll, echoAll } from "./echo.ts";
import { localizerContender } from "./localizer-contender.ts";
import { cpuSeconds, footprint } from "./process-usage.ts";
import type { Measure } from "./results.ts";
import { type Row, settleMs } from "./row.ts";
import { inTurns } from "./turns.ts";

/** Only localizer: kubectl has no such mode. */
export const manyRow: Row = async ({ settings, recorder, openLab, signal, log }) => {
  const { services: count, repeats, restMs, workers } = settings;
  recorder.note(`${count} Services of one port each before one pod, in one namespace; localizer runs from source`);
  recorder.note("no peer: kubectl port-forward has no mode for many Services");
  recorder.note(
    `memory, descriptors and CPU are of all its processes, at rest, ${settleMs / 1000} s after every Service has answered once`,
  );
  recorder.note(`CPU at rest is watched for ${restMs / 1000} s; in steps of ${(1000 / restMs).toFixed(1)} %`);
  await using lab = await openLab({ ports: ["echo"], services: count });
  const { host } = new URL(lab.cluster.server);
  const contenders = [localizerContender(lab)];
  await inTurns(contenders, { repeats, signal, log }, async (contender) => {
    const startedMs = performance.now();
    const secondsSince = (momentMs: number) => (performance.now() - momentMs) / 1000;
    await using running = await contender.start(signal);
    const samples = new Map<Measure, number>([[less("start to summary line", "s"), secondsSince(startedMs)]]);
    const addresses = lab.services.map((service) => running.address("echo", service));
    demandAll(await echoAll(addresses, { workers, signal }));
    const { pids } = running.process;
    samples.set(less("start until each has echoed once", "s"), secondsSince(startedMs));
    samples.set(less("tool CPU until then", "s"), cpuSeconds(pids));
    const connected = less("TCP connections to the API server, after the echoes", "");
    samples.set(connected, footprint(pids, host).connections);
    await sleep(settleMs, undefined, { signal });
    const [before, beforeMs] = [cpuSeconds(pids), performance.now()];
    await sleep(restMs, undefined, { signal });
    samples.set(less("CPU at rest", "% of a core"), ((cpuSeconds(pids) - before) / secondsSince(beforeMs)) * 100);
    const { pssMiB, rssMiB, descriptors, connections } = footprint(pids, host);
    samples.set(less("PSS", "MiB"), pssMiB).set(less("RSS", "MiB"), rssMiB);
    samples.set(less("descriptors", ""), descriptors);
    samples.set(less("TCP connections to the API server, at rest", ""), connections);
    const stopMs = performance.now();
    await running.process.interrupt();
    samples.set(less("SIGINT to end", "s"), secondsSince(stopMs));
    return () => {
      for (const [measure, value] of samples) recorder.add(measure, contender.name, value);
    };
  });
};

function less(name: string, unit: string): Measure {
  return { name, unit, better: "less" };
}
