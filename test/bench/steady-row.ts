/** Row steady: requests at a steady rate on connections that stay, while something else keeps the tool busy. */
import { openApiGate } from "./api-gate.ts";
import type { Contender } from "./contender.ts";
import { labThrough } from "./far-lab.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import type { Lab } from "./lab.ts";
import { startLocalizer } from "./localizer-contender.ts";
import { openPlace } from "./localizer-place.ts";
import { openLoopStalls } from "./loop-stall.ts";
import { processParts } from "./process-parts.ts";
import { relayContender } from "./relay-contender.ts";
import { type Row, type RowContext, warmUp } from "./row.ts";
import { ChangingSlices } from "./slice-changes.ts";
import { loadConnections } from "./steady-load.ts";
import {
  alone,
  besideChanges,
  besideDownload,
  besideRelist,
  changesPerSecond,
  measurePhase,
  type Phase,
  type PhaseSamples,
  perSecond,
  relistMs,
  type Watched,
} from "./steady-phases.ts";
import { inTurns, type Startable } from "./turns.ts";

const limits = `On two processors the download itself (source, runtime, kubelet, API server, tool, reader) leaves the requests none of
their own, and the tail is waiting for one, in every hop: compare it with kubectl's. Inside localizer one thread does all; its longest stalls are
V8's collections, and waiting for a processor counts as one.`;

/** A contender with what it goes through, in runs of one process each. */
interface Contestant extends Pick<Contender, "name"> {
  readonly runs: readonly { readonly start: Startable<Watched>["start"]; readonly phases: readonly Phase[] }[];
}

/** The direct one runs at the same moment, straight from the node's network to the pod. */
export const steadyRow: Row = {
  limits,
  async measure(context) {
    const { settings, recorder, openLab, signal, log } = context;
    const { services, longRepeats: repeats, steadyMs } = settings;
    takeNotes(context);
    await using lab = await openLab({ ports: ["echo", "source"], services });
    await using slices = await ChangingSlices.make(lab, signal);
    const { hostname, port } = new URL(lab.cluster.server);
    await using gate = await openApiGate(hostname, Number(port));
    await using gated = await labThrough(lab, gate.port);
    const [rest, download, changes] = [alone(steadyMs), besideDownload(steadyMs), besideChanges(slices, steadyMs)];
    const contestants: readonly Contestant[] = [
      {
        name: "localizer",
        runs: [
          { start: (until) => watchedLocalizer(lab, until), phases: [rest, download, changes] },
          { start: (until) => watchedLocalizer(gated, until), phases: [besideRelist(gate, services)] },
        ],
      },
      { name: "kubectl", runs: [{ start: started(kubectlContender(lab)), phases: [rest, download, changes] }] },
      { name: "relay", runs: [{ start: started(relayContender()), phases: [rest, download] }] },
    ];
    await inTurns(contestants, { repeats, signal, log, recorder }, async ({ name, runs }) => {
      const samples: PhaseSamples[number][] = [];
      for (const { start, phases } of runs) {
        await using one = await start(signal);
        await warmUp(one.running, signal);
        for (const phase of phases) samples.push(...(await measurePhase(lab, one, phase, signal)));
      }
      return () => recorder.addAll(samples, name);
    });
  },
};

function takeNotes({ settings: { services, steadyMs }, recorder }: RowContext): void {
  recorder.note(
    `${perSecond} requests of 64 bytes a second on ${loadConnections} connections for ${steadyMs / 1000} s, from a process of its own`,
  );
  recorder.note(
    "over the direct one: p99.9 less that of the same load at the same moment from the node's network straight to the pod",
  );
  recorder.note(
    `listed again: API connections (not those of data) are cut and refused until localizer gives up its watches and lists all ${services} Services and their slices; ${relistMs / 1000} s of load`,
  );
  recorder.note(
    `changes: an endpoint each of 20 other Services comes and goes, ${changesPerSecond} a second in all, or as many as the cluster takes (in the JSON file)`,
  );
  recorder.note(
    "stall: of the user's part's event loop, by perf_hooks.monitorEventLoopDelay in a file that the bench alone loads (NODE_OPTIONS=--import); waiting for a processor counts, too",
  );
  recorder.note("kubectl has nothing to list again; relay goes to an application on loopback");
}

function started(contender: Contender): Startable<Watched>["start"] {
  return async (signal) => {
    const running = await contender.start(signal);
    return { running, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
  };
}

async function watchedLocalizer(lab: Lab, signal: AbortSignal): Promise<Watched> {
  await using all = new AsyncDisposableStack();
  const place = all.use(await openPlace());
  const stalls = all.use(await openLoopStalls());
  const running = all.use(await startLocalizer(lab, place, signal, stalls.env));
  const [user = 0] = processParts(running.process.pids).user;
  const works = all.move();
  return {
    running,
    hostsFile: place.hostsFile,
    stallMs: () => stalls.longestMs(user, signal),
    [Symbol.asyncDispose]: () => works.disposeAsync(),
  };
}
