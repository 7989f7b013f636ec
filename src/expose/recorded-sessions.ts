/** Ends a session that the journal tells of, or that its daemon cannot end as its own any more: by its record, and by the Lease, which may know more. */
import { LocalizerError } from "../errors.ts";
import { namespaceOf } from "../model/service-key.ts";
import { newClaim, whileClaimed } from "./claim.ts";
import { deadline, deadlineError } from "./deadline.ts";
import { endingOwners, endSession } from "./endings.ts";
import { isAlive } from "./is-alive.ts";
import type { Journal } from "./journal.ts";
import type { SessionRecord } from "./records.ts";
import type { ExposeLine, Report } from "./report.ts";
import type { ScaleComponents } from "./scale.ts";
import { leaseRef, type SeenLease, seeLease } from "./session-lease.ts";

/** With what. */
export interface RecordedComponents extends ScaleComponents {
  readonly journal: Journal;
}

/** By whom, and how. */
export interface RecordedOptions {
  /** `user@host`. */
  readonly holder: string;
  readonly signal: AbortSignal;
  readonly report: Report;
  /** How long it may take, without the wait for somebody else who may be at it. */
  readonly limitMs: number;
  /** How long the workload may take to become ready before the session's pod goes; it is not waited for when absent. */
  readonly waitMs?: number;
  /** All sessions of this process end at once. */
  readonly together?: boolean;
  /** Its writer may live on another machine. */
  readonly isElsewhere?: boolean;
}

/** Of this machine, as whose daemon there is one at a time: whoever had this claim is dead, or this process itself. */
const claimId = "journal";
/** A session that begins is in its journal before it has its Lease. */
const beginningMs = 60_000;

/**
 * Ends it, its Lease claimed before, and forgets it; or waits for who is doing so in this process. Gives whether it is ended: not
 * when it lives on another machine.
 * @throws LocalizerError `conflict` when somebody else is putting it back; else what could not be put back
 */
export async function endRecorded(
  components: RecordedComponents,
  record: SessionRecord,
  options: RecordedOptions,
): Promise<boolean> {
  const { endings } = components.journal;
  return await endings.join(record.session, options.signal, () => endAlone(components, record, options));
}

async function endAlone(
  components: RecordedComponents,
  record: SessionRecord,
  { holder, signal, report, limitMs, waitMs = 0, together = false, isElsewhere = false }: RecordedOptions,
): Promise<boolean> {
  const { session, key } = record;
  const ownLease = async () => {
    const lease = await seeLease(components.objects, leaseRef(key), signal);
    return lease?.session === session ? lease : undefined;
  };
  const own = await ownLease();
  if (isElsewhere && own === undefined) {
    await components.clock.sleep(beginningMs, signal);
    if ((await ownLease()) !== undefined) return false;
  }
  const isTaken = () =>
    new LocalizerError("conflict", `Cannot put back "${key}": ${own?.holder || "somebody else"} is doing so`);
  if (own !== undefined && (isElsewhere || isStrange(own))) {
    if (!isElsewhere) report(watching(own));
    const isBusy = await isAlive(components, own, signal);
    if (isBusy && isElsewhere) return false;
    if (isBusy) throw isTaken();
  }
  using limit = deadline(components.clock, limitMs, `Cannot put back "${key}" in time`);
  const either = AbortSignal.any([signal, limit.signal]);
  const records = [record, ...(own?.record === undefined ? [] : [own.record])];
  const owners = [...new Map(records.flatMap(endingOwners).map((owner) => [owner.uid, owner])).values()];
  const ending = { session, namespace: namespaceOf(key), key, owners, isLeaseGone: own === undefined };
  const end = (limited: AbortSignal, leaseGoes = async () => {}) =>
    endSession(components, ending, { signal: limited, report, waitMs, together, leaseGoes });
  const by = isElsewhere ? newClaim(holder) : { id: claimId, holder };
  try {
    if (own === undefined) await end(either);
    else if (!(await whileClaimed(components, { lease: own, by }, either, end))) {
      if (isElsewhere) return false;
      throw isTaken();
    }
  } catch (error) {
    throw deadlineError(error, limit.signal);
  }
  await components.journal.remove(session);
  return true;
}

function watching({ holder, durationMs }: SeenLease): ExposeLine {
  const seconds = Math.round(durationMs / 1_000);
  const who = holder || "somebody else";
  const message = `Waiting up to ${seconds} s for a sign of life of ${who}, who has begun to put it back`;
  return { level: "info", step: "scale-back", message };
}

function isStrange({ claim }: SeenLease): boolean {
  return claim !== "" && claim !== claimId;
}
