/** localizer's processes, told apart, and what each of them costs as measures: the sum for the table, the parts as details. */
import { cpuSeconds, footprint } from "./process-usage.ts";
import type { Measure } from "./results.ts";

/** Started as root, localizer is the helper, and the user's part its child. */
export interface ProcessParts {
  readonly helper: readonly number[];
  readonly user: readonly number[];
}

/** A measure and its sample. */
export type Sample = readonly [measure: Measure, value: number];

/** Parts by the tree's order: itself, then what descends from it. Throws when there are not both. */
export function processParts([helper, ...user]: readonly number[]): ProcessParts {
  if (helper === undefined || user.length === 0) throw new Error("localizer does not run as helper and user's part");
  return { helper: [helper], user };
}

/** A measure of which less is better. */
export function less(name: string, unit: string): Measure {
  return { name, unit, better: "less" };
}

/** The same, for the JSON file alone. */
export function detail(name: string, unit: string): Measure {
  return { name, unit, better: "less", detail: true };
}

/** A figure that adds up: of both parts in the table, and of each. */
export function inParts(
  name: string,
  unit: string,
  parts: Readonly<Record<keyof ProcessParts, number>>,
): readonly Sample[] {
  return [
    [less(name, unit), parts.user + parts.helper],
    [detail(`${name}, user's part`, unit), parts.user],
    [detail(`${name}, helper`, unit), parts.helper],
  ];
}

/** Memory and descriptors as they are now. */
export function footprintSamples({ user, helper }: ProcessParts): readonly Sample[] {
  const [ofUser, ofHelper] = [footprint(user), footprint(helper)];
  return [
    ...inParts("PSS", "MiB", { user: ofUser.pssMiB, helper: ofHelper.pssMiB }),
    ...inParts("RSS", "MiB", { user: ofUser.rssMiB, helper: ofHelper.rssMiB }),
    ...inParts("descriptors", "", { user: ofUser.descriptors, helper: ofHelper.descriptors }),
  ];
}

/** Starts to count CPU; what it returns gives the shares of a core since then. */
export function watchCpu({ user, helper }: ProcessParts): () => readonly Sample[] {
  const [beforeMs, userBefore, helperBefore] = [performance.now(), cpuSeconds(user), cpuSeconds(helper)];
  return () => {
    const percent = (seconds: number) => (seconds * 100_000) / (performance.now() - beforeMs);
    const parts = { user: percent(cpuSeconds(user) - userBefore), helper: percent(cpuSeconds(helper) - helperBefore) };
    return inParts("CPU at rest", "% of a core", parts);
  };
}
