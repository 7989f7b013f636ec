/** What the pods behind a Service are made from: the template of their owner, or the pods themselves where there is none. Pure. */
import { at, textAt } from "../kube/json.ts";
import type { Ownership } from "../kube/owners.ts";
import { nameObject } from "../kube/scalable-owner.ts";

/** A pod, or a pod template, and whose it is. */
export interface PodSource {
  /** `Deployment "cart"`, or `Pod "cart-x"` */
  readonly name: string;
  /** With `metadata` and `spec`, as a pod has them (core/v1). */
  readonly pod: unknown;
}

/** One for each owner that has a template, the pods of each other owner, and the bare pods. */
export function podSources({ owners, bare }: Pick<Ownership, "owners" | "bare">): readonly PodSource[] {
  const ofOwners = owners.flatMap((owner): readonly PodSource[] => {
    const name = nameObject(owner);
    if (owner.template !== undefined) return [{ name, pod: owner.template }];
    return owner.below.map((object) => ({ name, pod: podOf(object) }));
  });
  return [...ofOwners, ...bare.map((pod) => ({ name: `Pod "${textAt(pod, "metadata", "name") ?? ""}"`, pod }))];
}

/** Below an owner stand its pods or, when it has none, workloads that would make them: then it is their template. */
export function podOf(object: unknown): unknown {
  return at(object, "spec", "template") ?? object;
}
