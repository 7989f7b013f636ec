/** Owners that stay at 0 when one of several exposures of a process ends, because another one still holds them. Pure. */
import type { SessionRecord } from "./records.ts";
import { describeOwner } from "./scale.ts";
import type { SessionState } from "./session-view.ts";

/** What is asked of an exposure. */
export interface OwnerHolder {
  readonly record: Pick<SessionRecord, "session" | "key" | "owners" | "phase">;
  readonly state: SessionState;
}

/** A sentence about the first of them, and who holds it; undefined when there is none. Others may hold the one that ends itself. */
export function staysAtZero(
  { record }: Pick<OwnerHolder, "record">,
  others: readonly OwnerHolder[],
): string | undefined {
  for (const owner of record.owners.filter(({ replicas }) => replicas > 0)) {
    const holder = others.find(
      ({ record: { session, phase, owners }, state }) =>
        session !== record.session &&
        phase === "exposed" &&
        state !== "lost" &&
        owners.some(({ uid }) => uid === owner.uid),
    );
    if (holder !== undefined)
      return `${describeOwner(owner)} stays at 0 until the exposure of "${holder.record.key}" ends`;
  }
  return undefined;
}

/**
 * How an exposure has ended, for its user.
 * @param lost why it was no exposure of this daemon any more; empty when it was one
 */
export function endSentence(ended: Pick<OwnerHolder, "record">, lost: string, others: readonly OwnerHolder[]): string {
  const { key } = ended.record;
  if (lost !== "") return `"${key}" was no exposure of this daemon any more: ${lost}; nothing is left of it`;
  const left = staysAtZero(ended, others);
  return left === undefined ? `"${key}" is not exposed any more` : `"${key}" is not exposed any more, but ${left}`;
}
