/** Whether sessions that an owner's mark names live: marks of ended ones come back, by `kubectl rollout undo` and out of old manifests. */
import { codeOf } from "../errors.ts";
import type { Objects } from "../kube/objects.ts";
import { heldLeases } from "./found-leases.ts";

/**
 * Those that have a Lease, which is there from before the first mark until after the last. All of them where Leases may not be
 * listed: then nobody can tell. Throws as the API.
 */
export async function livingSessions(
  objects: Pick<Objects, "list">,
  { namespace, sessions }: { readonly namespace: string; readonly sessions: readonly string[] },
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  try {
    const found = new Set((await heldLeases(objects, { namespace, sessions }, signal)).map(({ session }) => session));
    return sessions.filter((session) => found.has(session));
  } catch (error) {
    if (codeOf(error) === "denied") return sessions;
    throw error;
  }
}
