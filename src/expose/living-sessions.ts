/** Whether sessions that an owner's mark names live: marks of ended ones come back, by `kubectl rollout undo` and out of old manifests. */
import { codeOf } from "../errors.ts";
import { kinds, type Objects } from "../kube/objects.ts";
import { sessionSelector } from "./records.ts";

/**
 * Those that have a Lease, which is there from before the first mark until after the last. All of them where Leases may not be
 * listed: then nobody can tell. Throws as the API.
 */
export async function livingSessions(
  objects: Pick<Objects, "list">,
  { namespace, sessions }: { readonly namespace: string; readonly sessions: readonly string[] },
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const living: string[] = [];
  try {
    for (const session of sessions) {
      const scope = { namespace, labelSelector: sessionSelector(session) };
      if ((await objects.list(kinds.leases, scope, signal)).length > 0) living.push(session);
    }
  } catch (error) {
    if (codeOf(error) === "denied") return sessions;
    throw error;
  }
  return living;
}
