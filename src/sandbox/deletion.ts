/** How objects go: pods after their grace, others at once, none while it has finalizers. Pure. */
import type { ApiObject, ResourceDefinition } from "./api-object.ts";
import { listAt, numberAt, textAt } from "./json.ts";

const podGraceSeconds = 30;

/**
 * What a deletion makes of the object: a later state of it, or `gone` with its last one. The object itself when it is
 * deleted already, and no slower than wished.
 */
export interface Deletion {
  readonly object: ApiObject;
  readonly gone: boolean;
}

/** @param wish `gracePeriodSeconds` of the call; the pod's own when undefined. @param at when the grace begins, ms since the epoch */
export function deletionOf(
  resource: ResourceDefinition,
  object: ApiObject,
  wish: number | undefined,
  at: number,
): Deletion {
  const grace = graceSeconds(resource, object, wish);
  const gone = grace === 0 && listAt(object, "metadata", "finalizers").length === 0;
  const running = numberAt(object, "metadata", "deletionGracePeriodSeconds");
  if (!gone && running !== undefined && running <= grace) return { object, gone };
  const { generation } = object.metadata;
  const counted =
    running === undefined && resource.generation !== false && typeof generation === "number"
      ? { generation: generation + 1 }
      : {};
  const deletionTimestamp = apiTime(at + grace * 1_000);
  const metadata = { ...object.metadata, ...counted, deletionTimestamp, deletionGracePeriodSeconds: grace };
  return { object: { ...object, metadata }, gone };
}

/** Whether nothing keeps an object any more that is being deleted. */
export function mayGo(object: ApiObject): boolean {
  if (numberAt(object, "metadata", "deletionGracePeriodSeconds") !== 0) return false;
  return listAt(object, "metadata", "finalizers").length === 0;
}

/** A time as the API writes it: UTC, whole seconds. */
export function apiTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** A pod that no node has taken, or that has ended, needs no grace. */
function graceSeconds({ group, plural }: ResourceDefinition, object: ApiObject, wish: number | undefined): number {
  if (group !== "" || plural !== "pods" || textAt(object, "spec", "nodeName") === undefined) return 0;
  if (["Succeeded", "Failed"].includes(textAt(object, "status", "phase") ?? "")) return 0;
  return Math.max(0, wish ?? numberAt(object, "spec", "terminationGracePeriodSeconds") ?? podGraceSeconds);
}
