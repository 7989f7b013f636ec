/**
 * Who puts back what a silent session has left writes himself into its Lease first. Promises that the session's own holder, should
 * it wake up, hears that it was taken over, that of several who would put back one does, and that one who dies meanwhile falls
 * silent himself and can be followed by another.
 */
import { randomUUID } from "node:crypto";
import { LocalizerError } from "../errors.ts";
import { Heartbeat, type HeartbeatComponents } from "./heartbeat.ts";
import { persist } from "./persist.ts";
import { type Claim, claimLease, type SeenLease } from "./session-lease.ts";

/** Renewals in the time that a Lease promises. */
const renewals = 4;

/** A claim of nobody else. */
export function newClaim(holder: string): Claim {
  return { id: randomUUID().slice(0, 8), holder };
}

/**
 * Claims the Lease of a silent session, and runs with signs of life. Gives whether it ran: not when the Lease has changed since
 * it was seen, which is a sign of life. What is run ends the signs of life before it deletes the Lease itself: one that found
 * the Lease gone then would take it for somebody else's doing.
 * @throws LocalizerError as `run`; `conflict` or `gone` when the Lease is claimed by another or goes meanwhile; else as the API
 */
export async function whileClaimed(
  components: HeartbeatComponents,
  { lease, by }: { readonly lease: SeenLease; readonly by: Claim },
  signal: AbortSignal,
  run: (signal: AbortSignal, leaseGoes: () => Promise<void>) => Promise<void>,
): Promise<boolean> {
  const claimed = await persist(components, { signal }, () => claimLease(components, lease, { by, signal }));
  if (claimed === "alive") return false;
  if (claimed === "gone") {
    // Whoever has deleted it cannot be asked; what is left goes back all the same.
    await run(signal, async () => {});
    return true;
  }
  await using heartbeat = new Heartbeat(components, claimed, { everyMs: claimed.durationMs / renewals });
  try {
    await run(AbortSignal.any([signal, heartbeat.lost]), () => heartbeat[Symbol.asyncDispose]());
  } catch (error) {
    if (!heartbeat.lost.aborted || signal.aborted) throw error;
    throw LocalizerError.wrap(heartbeat.lost.reason, "Cannot go on putting back");
  }
  return true;
}
