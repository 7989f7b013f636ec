/** The phases of row steady: a load beside one disturbance, and what it came to. */
import { waitFor } from "../cluster/wait.ts";
import type { ApiGate } from "./api-gate.ts";
import { applicationPorts, type RunningContender } from "./contender.ts";
import { FileWrites } from "./file-writes.ts";
import type { Lab } from "./lab.ts";
import type { Measure, Value } from "./results.ts";
import type { ChangingSlices } from "./slice-changes.ts";
import { runLoad } from "./steady-load.ts";
import { downloadFor } from "./transfer.ts";

/** Requests a second. */
export const perSecond = 500;
/** Changes of slices a second. */
export const changesPerSecond = 100;
/** For a relist, which waits for the reflector's pauses. */
export const relistMs = 12_000;

/** So many refused connections and the reflectors of both kinds have failed often enough to list again (kube/reflector.ts). */
const refusals = 5;
const shutTimeoutMs = 15_000;
/** Of a Service and its slice in the gzipped lists, some 160 bytes: more than one of the two lists has. */
const listedBytesEach = 100;

/** What a phase gives. */
export type PhaseSamples = readonly (readonly [Measure, Value])[];

/** A contender at work, and what more can be seen of it. */
export interface Watched extends AsyncDisposable {
  readonly running: RunningContender;
  /** The longest stall of its event loop since the last call. */
  readonly stallMs?: () => Promise<number>;
  readonly hostsFile?: string;
}

/** A load of so long, and what is done meanwhile: its samples are added. */
export interface Phase {
  readonly name: string;
  readonly forMs: number;
  readonly disturb: (one: Watched, signal: AbortSignal) => Promise<PhaseSamples>;
}

/** Nothing. */
export function alone(forMs: number): Phase {
  return { name: "alone", forMs, disturb: async () => [] };
}

/** One download flat out, through the same tool. */
export function besideDownload(forMs: number): Phase {
  const name = "while a download runs";
  return {
    name,
    forMs,
    async disturb({ running }, signal) {
      const speed = await downloadFor(running.address("source"), forMs, signal);
      return [[{ name: `${name}: the download`, unit: "MB/s", better: "more", detail: true }, speed]];
    },
  };
}

/** Slices change; a hosts file, where there is one, must not. */
export function besideChanges(slices: ChangingSlices, forMs: number): Phase {
  const name = `while slices change ${changesPerSecond}/s`;
  return {
    name,
    forMs,
    async disturb({ hostsFile }, signal) {
      using writes = hostsFile === undefined ? undefined : new FileWrites(hostsFile);
      const changed = await slices.change({ perSecond: changesPerSecond, forMs, signal });
      const rate = [
        { name: `${name}: changes`, unit: "1/s", better: "more", detail: true },
        (changed * 1000) / forMs,
      ] as const;
      if (writes === undefined) return [rate];
      return [
        rate,
        [{ name: `${name}: writes of the hosts file`, unit: "", better: "less", reach: "0" }, writes.count],
      ];
    },
  };
}

/** The API calls go through a gate that is shut until the reflectors give their watches up. Throws when nothing is listed. */
export function besideRelist(gate: ApiGate, services: number): Phase {
  const name = "while all Services are listed again";
  return {
    name,
    forMs: relistMs,
    async disturb(_one, signal) {
      const [refused, shutMs] = [gate.refused, performance.now()];
      gate.shut();
      const isEnough = () => gate.refused >= refused + refusals;
      await waitFor("the reflectors to give up", isEnough, {
        timeoutMs: shutTimeoutMs,
        intervalMs: 20,
        signal,
      }).finally(() => gate.open());
      const before = gate.apiBytes;
      const isListed = () => gate.apiBytes - before > services * listedBytesEach;
      await waitFor("the lists", isListed, { timeoutMs: shutTimeoutMs, intervalMs: 20, signal });
      const tookMs = performance.now() - shutMs;
      if (tookMs > relistMs) throw new Error("The load was over before all was listed again");
      const detail = { better: "less", detail: true } as const;
      return [
        [{ ...detail, name: `${name}: shut until the lists came`, unit: "s" }, tookMs / 1000],
        [{ ...detail, name: `${name}: listed`, unit: "KiB" }, (gate.apiBytes - before) / 1024],
      ];
    },
  };
}

/** Load through the tool and straight to the pod at the same moment, and the disturbance. */
export async function measurePhase(
  lab: Lab,
  one: Watched,
  { name, forMs, disturb }: Phase,
  signal: AbortSignal,
): Promise<PhaseSamples> {
  const [pod] = lab.pods;
  const straight = { host: pod?.address ?? "", port: applicationPorts.echo };
  const { netnsPath } = lab.cluster.layout;
  await one.stallMs?.();
  const [through, direct, more] = await Promise.all([
    runLoad(one.running.address("echo"), { perSecond, forMs, signal }),
    runLoad(straight, { perSecond, forMs, netnsPath, signal }),
    disturb(one, signal),
  ]);
  const stall = await one.stallMs?.();
  const less = { unit: "ms", better: "less" } as const;
  const detail = { ...less, detail: true } as const;
  const over = through.p999Ms - direct.p999Ms;
  return [
    [{ ...less, name: `${name}: p99.9 over the direct one`, ...(name === "alone" ? {} : { reach: "≤ 10" }) }, over],
    [{ ...less, unit: "", name: `${name}: requests without an answer` }, through.unanswered],
    ...(stall === undefined
      ? []
      : [[{ ...less, name: `${name}: longest stall of the event loop`, reach: "≤ 20" }, stall] as const]),
    [{ ...detail, name: `${name}: p50` }, through.p50Ms],
    [{ ...detail, name: `${name}: p99.9` }, through.p999Ms],
    [{ ...detail, name: `${name}: longest` }, through.maxMs],
    [{ ...detail, name: `${name}: p99.9 of the direct one` }, direct.p999Ms],
    ...more,
  ];
}
