/**
 * Takes a session's marks off the ReplicaSets of a Deployment: its controller copies the Deployment's annotations there for good,
 * and `kubectl rollout undo` copies them back (SetNewReplicaSetAnnotations in pkg/controller/deployment/util).
 */
import { codeOf } from "../errors.ts";
import { listAt, textAt } from "../kube/json.ts";
import { headOf, type Objects } from "../kube/objects.ts";
import type { OwnerRef } from "./plan.ts";
import { markOf, markPatch } from "./records.ts";

const replicaSets = { group: "apps", version: "v1", plural: "replicasets" } as const;
const noMark = markPatch({ sessions: [], replicas: undefined, holder: "" });
/** Their status changes while pods come. */
const tries = 3;

/** Only those that name the session; others and other owners are left alone. Throws as the API. */
export async function unmarkReplicaSets(
  objects: Objects,
  { group, plural, namespace, uid }: OwnerRef,
  session: string,
  signal: AbortSignal,
): Promise<void> {
  if (group !== "apps" || plural !== "deployments") return;
  const isMarked = (item: unknown) => markOf(item)?.sessions.includes(session) === true;
  const isOwned = (item: unknown) =>
    listAt(item, "metadata", "ownerReferences").some((reference) => textAt(reference, "uid") === uid);
  for (const item of await Array.fromAsync(objects.heads(replicaSets, { namespace }, signal))) {
    if (isOwned(item) && isMarked(item)) await unmark(objects, item, isMarked, signal);
  }
}

async function unmark(
  objects: Objects,
  seen: unknown,
  isMarked: (item: unknown) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name } = headOf(seen);
  const ref = { ...replicaSets, namespace, name };
  let item = seen;
  for (let attempt = 1; isMarked(item); attempt++) {
    const { uid, resourceVersion } = headOf(item);
    try {
      await objects.patch(ref, { metadata: { uid, resourceVersion, annotations: noMark } }, { signal });
      return;
    } catch (error) {
      if (codeOf(error) === "not-found") return;
      if (codeOf(error) !== "conflict" || attempt >= tries) throw error;
      item = await objects.get(ref, signal);
    }
  }
}
