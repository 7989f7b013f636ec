/** One attempt with one engine, and the sentence for attempts that failed. Used by choose-engine and engine-search. */
import { LocalizerError } from "../errors.ts";
import type { PodRef } from "../model/endpoint.ts";
import type { EngineName } from "../model/engine-name.ts";
import type { Port } from "../model/port.ts";
import { wayOf } from "./engines.ts";
import { type UpgradeOutcome, type UpgradeParts, upgradePod } from "./upgrade.ts";
import type { RefusalSign, UpgradeRefusal } from "./upgrade-refusal.ts";

/** An engine that was refused. */
export interface RefusedEngine {
  readonly engine: EngineName;
  readonly refusal: UpgradeRefusal;
}

/** How an attempt is made. */
export interface TryOptions {
  readonly signal: AbortSignal;
  /** For `v4`; without it one that no pod listens on. */
  readonly port?: Port | undefined;
}

/**
 * Upgrades by this engine, and once more after what may have been a hiccup: an API server that restarts, a gateway that
 * changes over.
 * @throws LocalizerError as `upgradePod`
 */
export async function tryEngine(
  engine: EngineName,
  parts: UpgradeParts,
  pod: PodRef,
  { signal, port }: TryOptions,
): Promise<UpgradeOutcome> {
  const way = wayOf(engine, port);
  const outcome = await upgradePod(parts, pod, way, signal);
  // Who kept silent for so long would do so again.
  if (outcome.sign !== "passing" || outcome.error.code === "timeout") return outcome;
  return await upgradePod(parts, pod, way, signal);
}

/** Whether another engine might do better. */
export function changesEngine(sign: RefusalSign): boolean {
  return sign === "verb" || sign === "way" || sign === "passing";
}

/** The error for the pod: what was said first, and what else was tried. `thrown`: what ended the attempts. */
export function failure(pod: PodRef, refused: readonly RefusedEngine[], thrown?: unknown): LocalizerError {
  const action = `Cannot forward to pod ${pod.namespace}/${pod.name}`;
  const [first, ...others] = refused;
  if (thrown !== undefined || first === undefined) return LocalizerError.wrap(thrown, action);
  const { error, sign } = first.refusal;
  // Who lacks both rights wants to hear of the usual one.
  const isWorthIt = others.length > 0 && sign !== "verb";
  const also = isWorthIt ? ` (${others.map(({ engine, refusal }) => `${engine}: ${brief(refusal)}`).join("; ")})` : "";
  return new LocalizerError(error.code, `${action}: ${error.message}${also}`, { cause: error });
}

function brief({ error }: UpgradeRefusal): string {
  return error.message.length > 120 ? `${error.message.slice(0, 119)}…` : error.message;
}

/** The caller went by an engine of the other kind. */
export function wrongEngine(pod: PodRef, engine: EngineName): LocalizerError {
  const where = `Cannot forward to pod ${pod.namespace}/${pod.name}`;
  return new LocalizerError("unavailable", `${where}: the engine of this cluster is ${engine} now`);
}
