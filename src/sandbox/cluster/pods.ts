/** Pods as controllers see them, and how they make them from a template. Pure. */
import type { ApiObject, ObjectDraft } from "../api-object.ts";
import { at, listAt, textAt, textsAt } from "../json.ts";
import { isObject } from "../merge-patch.ts";
import { controllerReference, type Owner } from "./owners.ts";

/** Whether its condition Ready is true. */
export function isReady(pod: ApiObject): boolean {
  return listAt(pod, "status", "conditions").some(
    (condition) => textAt(condition, "type") === "Ready" && textAt(condition, "status") === "True",
  );
}

/** Whether it is being deleted. */
export function isTerminating(pod: ApiObject): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

/** Whether it has ended, well or not. */
export function hasEnded(pod: ApiObject): boolean {
  return ["Succeeded", "Failed"].includes(textAt(pod, "status", "phase") ?? "");
}

/** A pod of the owner's template, with a name or the beginning of one. */
export function podOf(
  owner: Owner,
  metadata: { readonly name: string } | { readonly generateName: string },
  more: { readonly labels?: Readonly<Record<string, string>>; readonly spec?: object } = {},
): ObjectDraft {
  const template = at(owner.object, "spec", "template");
  const labels = { ...textsAt(template, "metadata", "labels"), ...more.labels };
  const annotations = textsAt(template, "metadata", "annotations");
  const spec = at(template, "spec");
  return {
    metadata: {
      ...metadata,
      labels,
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [controllerReference(owner)],
    },
    spec: { ...(isObject(spec) ? spec : {}), ...more.spec },
  };
}

/** Those that go first when there are too many: not running, then not ready, then the newest (ReplicaSet controller, ActivePods). */
export function byExpendability(a: ApiObject, b: ApiObject): number {
  const rank = (pod: ApiObject) => (textAt(pod, "status", "phase") === "Running" ? 1 : 0) + (isReady(pod) ? 1 : 0);
  const age = (pod: ApiObject) => textAt(pod, "metadata", "creationTimestamp") ?? "";
  return rank(a) - rank(b) || (age(a) < age(b) ? 1 : age(a) > age(b) ? -1 : 0);
}
