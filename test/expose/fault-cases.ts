/** Tables of cases in the simulated cluster: each in a namespace of its own, some at a time, and all failures together. */
import assert from "node:assert/strict";
import type { EffectFault, FaultGate } from "./fault-gate.ts";
import type { FaultLab, LabNamespace } from "./fault-lab.ts";

/** Signs of life are effects, too, whose number depends on the time. */
export const quiet = { renewMs: 60_000 };

/** A table's test may take so long, in ms, on a slow machine. */
export const tableLimit = { timeout: 240_000 };

/** Death before, and after, an effect. */
export const kills: readonly EffectFault[] = [
  { kind: "kill", when: "before" },
  { kind: "kill", when: "after" },
];

/** An effect, or a read, of a run in which nothing fails. */
export interface Moment {
  readonly name: string;
  /** Among those of its name. */
  readonly at: number;
  /** Among all. */
  readonly index: number;
}

/** And what happens there. */
export interface FaultCase extends Moment {
  readonly fault: EffectFault;
}

/** All of them. */
export function momentsOf(names: readonly string[]): readonly Moment[] {
  const before = (name: string, index: number) => names.slice(0, index).filter((other) => other === name).length;
  return names.map((name, index) => ({ name, at: before(name, index), index }));
}

/** Each of them with each fault. */
export function faultCases(faults: readonly EffectFault[], names: readonly string[]): readonly FaultCase[] {
  return momentsOf(names).flatMap((moment) => faults.map((fault) => ({ ...moment, fault })));
}

/** Resolves when the plan was carried out: the daemon killed, or the effect on its way. @throws Error when what it did is over before */
export async function struck(gate: FaultGate, did: Promise<unknown>): Promise<void> {
  const over = did.then(
    () => "it ended",
    (error: unknown) => `it failed: ${error}`,
  );
  const end = await Promise.race([gate.killed, gate.sent, over]);
  if (end !== undefined) throw new Error(`Before the plan came to be ${end}; its effects: ${gate.effects.join(", ")}`);
}

/** Runs them all, `atOnce` at a time: most of a case is waiting. @throws AssertionError with all that failed, each with its case */
export async function everyCase<T>(
  cases: readonly T[],
  { fresh, atOnce = 24 }: { readonly fresh: () => Promise<LabNamespace>; readonly atOnce?: number },
  run: (one: T, place: LabNamespace) => Promise<void>,
): Promise<void> {
  assert.ok(cases.length > 0);
  const failures: string[] = [];
  const rest = cases[Symbol.iterator]();
  const worker = async () => {
    for (const one of rest) {
      using place = await fresh();
      try {
        await run(one, place);
      } catch (error) {
        failures.push(`${JSON.stringify(one)}: ${error instanceof Error ? error.message : error}`);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  assert.deepEqual(failures, []);
}

/** Calls of a part of a run, in their order. */
export interface Calls {
  readonly effects: readonly string[];
  readonly reads: readonly string[];
}

/** What a start and a stop do when nothing fails, and signs of life are rare. @throws AssertionError when not all is back then */
export async function smoothRun(
  lab: FaultLab,
  fresh: () => Promise<LabNamespace>,
): Promise<{ start: Calls; stop: Calls }> {
  for (let run = 0; run < 10; run++) {
    using place = await fresh();
    const { isSmooth, ...calls } = await oneRun(lab, place);
    if (isSmooth) return calls;
  }
  throw new Error("No run was smooth: the controllers were always quicker than the daemon");
}

/** It is smooth if the server has refused nothing: an object that has changed meanwhile is read, and written, once more. */
async function oneRun(lab: FaultLab, place: LabNamespace) {
  const state = place.state();
  await using daemon = place.daemon({ settings: quiet });
  const { gate } = daemon;
  await daemon.expose();
  const start = { effects: [...gate.effects], reads: [...gate.reads] };
  await daemon.stop();
  const stop = { effects: gate.effects.slice(start.effects.length), reads: gate.reads.slice(start.reads.length) };
  await allBack(lab, place, state);
  return { start, stop, isSmooth: gate.tries.length === gate.effects.length };
}

/** @throws AssertionError unless the workloads are as they were, and nothing of a session is left, once the controllers are through */
export async function allBack({ workloads }: FaultLab, place: LabNamespace, state: unknown): Promise<void> {
  await workloads.settled();
  assert.deepEqual(place.state(), state);
  assert.deepEqual(place.leftovers(), []);
}
