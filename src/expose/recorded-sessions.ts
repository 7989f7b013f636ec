/** Ends the session of a daemon of this machine that has died, by its journal and by its Lease, which may know more. */
import { LocalizerError } from "../errors.ts";
import { namespaceOf } from "../model/service-key.ts";
import { whileClaimed } from "./claim.ts";
import { deadline } from "./deadline.ts";
import { endingOwners, endSession } from "./endings.ts";
import type { Journal } from "./journal.ts";
import type { SessionRecord } from "./records.ts";
import type { Report } from "./report.ts";
import type { ScaleComponents } from "./scale.ts";
import { isAlive, leaseRef, seeLease } from "./session-lease.ts";

/** By whom, and how. */
export interface RecordedOptions {
  /** `user@host`. */
  readonly holder: string;
  readonly signal: AbortSignal;
  readonly report: Report;
  /** How long it may take, without the wait for somebody else who may be at it. */
  readonly limitMs: number;
}

/** Of this machine: the journal says that whoever had this claim is dead, too. */
const claimId = "journal";

/**
 * Ends it, its Lease claimed before, and forgets it.
 * @throws LocalizerError `conflict` when somebody else is putting it back; else what could not be put back
 */
export async function endRecorded(
  components: ScaleComponents & { readonly journal: Journal },
  record: SessionRecord,
  { holder, signal, report, limitMs }: RecordedOptions,
): Promise<void> {
  const { session, key } = record;
  const lease = await seeLease(components.objects, leaseRef(key), signal);
  const own = lease?.session === session ? lease : undefined;
  const isTaken = () =>
    new LocalizerError("conflict", `Cannot put back "${key}": ${own?.holder || "somebody else"} is doing so`);
  const isStrange = own !== undefined && own.claim !== "" && own.claim !== claimId;
  if (isStrange && (await isAlive(components, own, signal))) throw isTaken();
  using limit = deadline(components.clock, limitMs, `Cannot put back "${key}" in time`);
  const records = [record, ...(own?.record === undefined ? [] : [own.record])];
  const owners = new Map(records.flatMap(endingOwners).map((owner) => [owner.uid, owner]));
  const ending = { session, namespace: namespaceOf(key), key, owners: [...owners.values()] };
  const end = (limited: AbortSignal) => endSession(components, ending, { signal: limited, report, waitMs: 0 });
  const either = AbortSignal.any([signal, limit.signal]);
  if (own === undefined) await end(either);
  else if (!(await whileClaimed(components, { lease: own, by: { id: claimId, holder } }, either, end))) throw isTaken();
  await components.journal.remove(session);
}
