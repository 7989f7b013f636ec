/** The end of a session by its own daemon, as whose its Lease is as far as that knows. */
import { namespaceOf } from "../model/service-key.ts";
import { deadline, deadlineError } from "./deadline.ts";
import { type EndOptions, endingOwners, endSession } from "./endings.ts";
import { whileBeating } from "./heartbeat.ts";
import type { SessionRecord } from "./records.ts";
import { leaseRef, seeLease } from "./session-lease.ts";
import type { SessionComponents, SessionHoldings, StopOptions } from "./session-parts.ts";

/**
 * Puts back all that the session has changed. It stays alive for others, and its connection open, until its pod goes. Idempotent.
 * @throws LocalizerError as endSession; `timeout` after `limitMs`
 */
export async function endOwn(
  components: SessionComponents,
  holdings: SessionHoldings,
  { renewMs, limitMs, ...options }: StopOptions & Pick<EndOptions, "lastAnswers"> & { readonly renewMs: number },
): Promise<void> {
  const { record, hasScaled = false } = holdings;
  const { session, key } = record;
  const owners = hasScaled ? endingOwners(record) : [];
  using limit = deadline(components.clock, limitMs, `Cannot put back "${key}" in time`);
  const signal = AbortSignal.any([options.signal, limit.signal]);
  try {
    await whileBeating(components, holdings, renewMs, async () => {
      const isLeaseGone = owners.length > 0 && !(await hasLease(components, record, signal));
      const ending = { session, namespace: namespaceOf(key), key, owners, isLeaseGone };
      await endSession(components, ending, { ...options, signal });
    });
  } catch (error) {
    throw deadlineError(error, signal);
  }
}

/** Whether its Lease still speaks for it: while this machine slept all may have been put back, and changed since. */
async function hasLease(
  components: SessionComponents,
  { session, key }: SessionRecord,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const lease = await seeLease(components.objects, leaseRef(key), signal);
    return lease?.session === session;
  } catch {
    // A warning is all that hangs on it: what is to go back goes back without, and tells what stands in the way.
    return true;
  }
}
