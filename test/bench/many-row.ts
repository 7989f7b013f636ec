/** Row many: a namespace with many Services, from the start to the end of the tool. */
import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../cluster/wait.ts";
import { applicationPorts, type RunningContender } from "./contender.ts";
import { demandAll, echoAll } from "./echo.ts";
import type { Lab } from "./lab.ts";
import { startLocalizer } from "./localizer-contender.ts";
import { type LocalizerPlace, openPlace } from "./localizer-place.ts";
import { detail, footprintSamples, less, processParts, type Sample, watchCpu } from "./process-parts.ts";
import { connectionsTo, cpuSeconds } from "./process-usage.ts";
import { packageNote, type Row, type RowContext, settleMs } from "./row.ts";
import { changeService } from "./service-change.ts";
import { spreadOf } from "./statistics.ts";
import { inTurns } from "./turns.ts";

const namedTimeoutMs = 120_000;
/** The whole table of the kernel is read for it, so not more often. */
const connectionsEveryMs = 500;

const limits = `The start is the API server's list and one listener after the other, each handed over by the helper; the echoes
are new connections, at the cluster's pace. At rest it is two processes of Node, what the API client and the daemon load, a listener for each
Service and the slim objects of the cache. The CPU at rest is pings, bookmarks and timers. A new Service waits for the pause between two writes of the
hosts file when the last one was less than 250 ms ago.`;

/** Only localizer: kubectl has no such mode. */
export const manyRow: Row = { limits, measure };

async function measure(context: RowContext): Promise<void> {
  const { settings, recorder, openLab, signal, log } = context;
  const { services: count, longRepeats: repeats, restMs, leaveMs, workers } = settings;
  recorder.note(`${count} Services of one port each before one pod, in one namespace; ${packageNote}`);
  recorder.note("no peer: kubectl port-forward has no mode for many Services; row start has one beside it");
  recorder.note(`each is asked for an echo once, ${workers} at the same time; one without an echo fails the row`);
  recorder.note(`memory, descriptors and CPU: user's part and helper together (each in the JSON file), at rest`);
  recorder.note(
    `at rest: ${(leaveMs + restMs) / 1000} s after every Service has answered once, the last ${restMs / 1000} s watched. A pooled connection that nobody uses goes after 60 s, but for one that stays with a pod for 5 min after its last use; before its first use there is none`,
  );
  recorder.note(
    "new and deleted: with all the others there, from the API server's answer; the table has the median of a run",
  );
  await using lab = await openLab({ ports: ["echo"], services: count });
  await inTurns([{ name: "localizer" }], { repeats, signal, log, recorder }, async ({ name }) => {
    const samples = await measureRun(lab, context);
    return () => recorder.addAll(samples, name);
  });
}

async function measureRun(lab: Lab, { settings, signal }: RowContext): Promise<readonly Sample[]> {
  const { restMs, leaveMs, workers, changes } = settings;
  const { host: server } = new URL(lab.cluster.server);
  await using place = await openPlace();
  const startedMs = performance.now();
  const secondsSince = (momentMs: number) => (performance.now() - momentMs) / 1000;
  using looking = new DisposableStack();
  const over = looking.adopt(new AbortController(), (controller) => controller.abort());
  const served = allServed(lab, place, AbortSignal.any([signal, over.signal])).then(() => secondsSince(startedMs));
  served.catch(() => {}); // The start may fail first, and then nobody waits for it.
  await using running = await startLocalizer(lab, place, signal);
  const toSummary = secondsSince(startedMs);
  const samples: Sample[] = [[less("start to all named and listening", "s"), await served]];
  const parts = processParts(running.process.pids);
  const pids = [...parts.helper, ...parts.user];
  await sleep(settleMs, undefined, { signal });
  const startedCpu = cpuSeconds(pids);
  const ofApi = connectionsTo(pids, server);
  const dataConnections = () => [...connectionsTo(pids, server)].filter((inode) => !ofApi.has(inode)).length;
  const echoStartMs = performance.now();
  const round = await echoRound(lab, running, { workers, pids, server, signal });
  samples.push(
    [less("start until each has echoed once", "s"), toSummary + secondsSince(echoStartMs)],
    [detail("start to summary line", "s"), toSummary],
    [detail("tool CPU of the start", "s"), startedCpu],
    [detail("tool CPU with the echoes", "s"), cpuSeconds(pids)],
    [{ ...detail("Services that have echoed", ""), better: "more" }, round.answered],
    [detail("echoes", "s"), round.seconds],
    [detail("TCP connections to the API server, most in the echoes", ""), round.mostConnections],
  );
  samples.push(
    [less("TCP connections to the API server before the first use", ""), ofApi.size],
    [less("connections to pods right after the echoes", ""), dataConnections()],
    ...named("right after the echoes", footprintSamples(parts)),
  );
  await sleep(leaveMs, undefined, { signal });
  const cpuAtRest = watchCpu(parts);
  await sleep(restMs, undefined, { signal });
  samples.push(...reaching("< 0.5", cpuAtRest()), ...reaching("≤ 170", footprintSamples(parts)));
  const data = dataConnections();
  samples.push(
    [{ ...less("API connections, at rest", ""), reach: "1" }, connectionsTo(pids, server).size - data],
    [{ ...less("connections to pods, at rest", ""), reach: "0" }, data],
    ...(await changeSamples(lab, place, { changes, signal })),
  );
  const stopMs = performance.now();
  await running.process.interrupt();
  samples.push([less("SIGINT to end", "s"), secondsSince(stopMs)]);
  const leftover = place.leftover();
  if (leftover !== undefined) throw new Error(`localizer has ended, but ${leftover}`);
  return samples;
}

/** The same under longer names. */
function named(when: string, samples: readonly Sample[]): readonly Sample[] {
  return samples.map(([measure, value]) => [{ ...measure, name: `${measure.name}, ${when}` }, value]);
}

/** The same, with what is to be reached beside the first. */
function reaching(reach: string, samples: readonly Sample[]): readonly Sample[] {
  return samples.map(([measure, value], index) => [index === 0 ? { ...measure, reach } : measure, value]);
}

/** Resolves when each Service has its full name in the hosts file and somebody listens there. */
async function allServed(lab: Lab, place: LocalizerPlace, signal: AbortSignal): Promise<void> {
  const wanted = lab.services.map((service) => `${service}.${lab.namespace}`);
  const within = { timeoutMs: namedTimeoutMs, signal };
  const names = await place.waitForNames((found) => wanted.every((name) => found.has(name)), within);
  const addresses = wanted.map((name) => `${names.get(name)}:${applicationPorts.echo}`);
  const haveAll = () => {
    const listeners = place.listeners();
    return addresses.every((address) => listeners.has(address));
  };
  await waitFor("a listener of every Service", haveAll, { ...within, intervalMs: 20 });
}

/** One echo of every Service. Throws when one fails. */
async function echoRound(
  lab: Lab,
  running: RunningContender,
  { workers, pids, server, signal }: { workers: number; pids: readonly number[]; server: string; signal: AbortSignal },
): Promise<{ readonly answered: number; readonly seconds: number; readonly mostConnections: number }> {
  const addresses = lab.services.map((service) => running.address("echo", service));
  let mostConnections = 0;
  const look = () => {
    mostConnections = Math.max(mostConnections, connectionsTo(pids, server).size);
  };
  const looking = setInterval(look, connectionsEveryMs);
  try {
    const outcome = await echoAll(addresses, { workers, signal });
    look();
    demandAll(outcome);
    return { answered: outcome.latenciesMs.length, seconds: outcome.elapsedMs / 1000, mostConnections };
  } finally {
    clearInterval(looking);
  }
}

async function changeSamples(
  lab: Lab,
  place: LocalizerPlace,
  { changes, signal }: { readonly changes: number; readonly signal: AbortSignal },
): Promise<readonly Sample[]> {
  const [made, deleted, failed]: [number[], number[], number[]] = [[], [], []];
  for (let index = 0; index < changes; index++) {
    const change = await changeService(lab, place, { service: `new-${index}`, signal });
    made.push(change.madeToEchoMs);
    failed.push(change.failed);
    deleted.push(change.deletedToGoneMs);
  }
  return [
    [less("new Service to first echo", "ms"), spreadOf(made).median],
    [detail("new Service to first echo, slowest", "ms"), spreadOf(made).max],
    [less("new Services: connects that fail though the name is there", ""), failed.reduce((sum, count) => sum + count)],
    [less("deleted Service to gone", "ms"), spreadOf(deleted).median],
    [detail("deleted Service to gone, slowest", "ms"), spreadOf(deleted).max],
  ];
}
