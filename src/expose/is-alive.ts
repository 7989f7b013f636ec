/** Whether the holder of a Lease lives: watched, because clocks of two machines are not compared. */
import { type LeaseComponents, type SeenLease, seeLease } from "./session-lease.ts";

/** Between two looks. */
const lookEveryMs = 2_000;
/** More between two of them means that this process stood still, or that the API server is slow. */
const maxGapMs = 2 * lookEveryMs;

/**
 * Watches a Lease until it gives a sign of life (true), or has given none for as long as it promised, or is gone (false). Time in which
 * this process did not come to look counts little, for the holder may have stood still with it, and is followed by one look more.
 * @throws LocalizerError as the API; `aborted`
 */
export async function isAlive(
  { objects, clock }: LeaseComponents,
  lease: SeenLease,
  signal: AbortSignal,
): Promise<boolean> {
  let restMs = lease.durationMs;
  let isOneMore = false;
  for (let seenMs = clock.monotonic(); ; ) {
    const beforeMs = clock.monotonic();
    await clock.sleep(restMs > 0 ? Math.min(restMs, lookEveryMs) : lookEveryMs, signal);
    const nowMs = clock.monotonic();
    const gapMs = nowMs - seenMs;
    seenMs = nowMs;
    const now = await seeLease(objects, lease.ref, signal);
    if (now === undefined || now.uid !== lease.uid) return false;
    if (now.resourceVersion !== lease.resourceVersion) return true;
    restMs -= Math.min(gapMs, maxGapMs);
    if (restMs > 0) continue;
    // Where every answer takes long every gap is: then the one look more has only to come in time itself.
    if (gapMs <= maxGapMs || (isOneMore && nowMs - beforeMs <= maxGapMs)) return false;
    isOneMore = true;
  }
}
