/** Finds the engine that works: one after the other, each until something comes back behind its upgrade. Used by choose-engine. */
import { LocalizerError } from "../errors.ts";
import type { PodRef } from "../model/endpoint.ts";
import { type EngineName, engineNames } from "../model/engine-name.ts";
import { carrierOf, shownAlive, wayOf } from "./engines.ts";
import { changesEngine, type RefusedEngine, tryEngine } from "./try-engine.ts";
import type { Upgraded, UpgradeOutcome, UpgradeParts } from "./upgrade.ts";
import type { UpgradeRefusal } from "./upgrade-refusal.ts";

/** How a search ended, and what refused before. */
export type Search =
  | Found
  | {
      readonly kind: "failed";
      /** What ended the search before its time. */
      readonly error: LocalizerError | undefined;
      readonly refused: readonly RefusedEngine[];
      /** False when it was, or may have been, about this pod, its node or its namespace. */
      readonly isEverywhere: boolean;
    };

/** An engine that works. */
export interface Found {
  readonly kind: "found";
  readonly engine: EngineName;
  /** What SPDY is spoken over; of `v4` it is closed, for it was tried with a port that nobody listens on. */
  readonly upgraded: Upgraded;
  readonly refused: readonly RefusedEngine[];
}

/** Goes through the engines, without the one that was `refused` just now. Never throws. */
export async function searchEngine(
  parts: UpgradeParts,
  pod: PodRef,
  options: { readonly signal: AbortSignal; readonly refused: RefusedEngine | undefined },
): Promise<Search> {
  const { signal } = options;
  const refused = options.refused === undefined ? [] : [options.refused];
  // Silence may be the pod's or its node's, a missing verb is the namespace's, and who answers 101 has been to the node.
  let isEverywhere = refused.every(({ refusal }) => isOfTheWay(refusal));
  try {
    for (const engine of engineNames) {
      if (engine === options.refused?.engine || lacksVerb(engine, refused)) continue;
      const { outcome, isUpgraded } = await tryOut(engine, parts, pod, signal);
      if (outcome.sign === undefined) {
        return await better({ kind: "found", engine, upgraded: outcome, refused }, parts, pod, signal);
      }
      refused.push({ engine, refusal: outcome });
      isEverywhere &&= !isUpgraded && isOfTheWay(outcome);
      if (changesEngine(outcome.sign)) continue;
      // The word of whoever got through counts, not that of a gateway before.
      return { kind: "failed", error: undefined, refused: refused.slice(-1), isEverywhere: false };
    }
    return { kind: "failed", error: undefined, refused, isEverywhere };
  } catch (error) {
    return { kind: "failed", error: LocalizerError.from(error), refused, isEverywhere: true };
  }
}

/** What was refused first may have met a server that was only starting: tried again now, and taken if it works. */
async function better(found: Found, parts: UpgradeParts, pod: PodRef, signal: AbortSignal): Promise<Search> {
  const [first] = found.refused;
  if (first?.refusal.sign !== "passing" || first.refusal.error.code === "timeout") return found;
  try {
    const { outcome } = await tryOut(first.engine, parts, pod, signal);
    if (outcome.sign !== undefined) return found;
    found.upgraded.socket.destroy();
    return { kind: "found", engine: first.engine, upgraded: outcome, refused: [] };
  } catch (error) {
    found.upgraded.socket.destroy();
    throw error;
  }
}

async function tryOut(
  engine: EngineName,
  parts: UpgradeParts,
  pod: PodRef,
  signal: AbortSignal,
): Promise<{ readonly outcome: UpgradeOutcome; readonly isUpgraded: boolean }> {
  const upgraded = await tryEngine(engine, parts, pod, { signal });
  if (upgraded.sign !== undefined) return { outcome: upgraded, isUpgraded: false };
  const outcome = await shownAlive(engine, carrierOf(engine, upgraded), pod, { clock: parts.clock, signal });
  return { outcome, isUpgraded: true };
}

/** It would be the same for every other pod. */
function isOfTheWay({ sign, error }: UpgradeRefusal): boolean {
  return sign !== "verb" && error.code !== "timeout";
}

/** The right that it needs was refused already. */
function lacksVerb(engine: EngineName, refused: readonly RefusedEngine[]): boolean {
  const { method } = wayOf(engine);
  return refused.some(({ engine: other, refusal }) => refusal.sign === "verb" && wayOf(other).method === method);
}
