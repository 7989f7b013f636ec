/**
 * Pods of an owner that the Service does not lead to, as where each pod of a StatefulSet has a Service of its own. Promises that they are
 * found wherever pods may be listed, and that nobody loses them unasked: scaling the owner to 0 takes them away, too. Used by preflight.
 */
import { at, listAt, textAt, textsAt } from "../kube/json.ts";
import { hasLabels, labelsOf, selectorText, selects } from "../kube/label-selector.ts";
import { headOf, kinds } from "../kube/objects.ts";
import { findOwners, type OwnerOf } from "../kube/owners.ts";
import { nameObject } from "../kube/scalable-owner.ts";
import type { ServiceKey } from "../model/service-key.ts";
import { type BackingComponents, isLivingPod } from "./backing.ts";
import { type ExposableService, refusal } from "./exposable-service.ts";
import { listIfAllowed } from "./list-if-allowed.ts";
import { allowedLoss, partialLoss } from "./plan.ts";
import { quotedList } from "./quoted-list.ts";

/** Living pods that a Service does not lead to, by the uid of their owner; owners without any are left out. */
export type UnservedPods = ReadonlyMap<string, readonly unknown[]>;

/** What is to be agreed to. */
export interface PartialWish {
  readonly key: ServiceKey;
  readonly owners: readonly OwnerOf[];
  readonly unserved: UnservedPods;
  /** Of the namespace; undefined when they may not be listed. */
  readonly services: readonly unknown[] | undefined;
  /** Whether the user has agreed. */
  readonly isAllowed: boolean;
}

/**
 * Looks through the pods that each owner selects, and of the namespace where one does not say. Those that leave or have ended do not count, nor those that the Service selects: in a rollout it
 * leads to the pods of both ReplicaSets. Empty where pods may not be listed. Throws as Objects.list and findOwners, but for rights.
 */
export async function unservedPods(
  components: BackingComponents,
  { namespace, selector }: Pick<ExposableService, "namespace" | "selector">,
  owners: readonly OwnerOf[],
  signal?: AbortSignal,
): Promise<UnservedPods> {
  if (owners.length === 0) return new Map();
  const candidates = new Map<string, unknown>();
  for (const owner of owners) {
    // What it asks for beyond plain labels is looked at here.
    const labelSelector = selectorText(owner.selector?.matchLabels ?? {});
    const narrowed = labelSelector === "" ? {} : { labelSelector };
    for (const pod of (await listIfAllowed(components.objects, kinds.pods, namespace, signal, narrowed)) ?? []) {
      if (!isLivingPod(pod) || hasLabels(labelsOf(pod), selector) || !mayBelongTo(owner, pod)) continue;
      candidates.set(headOf(pod).uid, pod);
    }
  }
  const starts = [...candidates.values()].map((object) => ({ object }));
  const found = await findOwners(components, starts, signal);
  const known = new Set(owners.map(({ uid }) => uid));
  return new Map(found.owners.flatMap(({ uid, below }) => (known.has(uid) ? [[uid, below] as const] : [])));
}

/**
 * Gives the warnings, when such pods may go. Pure.
 * @throws LocalizerError `conflict` when they may not: whose they are, how many, which Services lose them, and what agrees to it
 */
export function checkPartial({ key, owners, unserved, services, isAllowed }: PartialWish): readonly string[] {
  const parts = owners.flatMap((owner) => {
    const lost = unserved.get(owner.uid)?.length ?? 0;
    if (lost === 0) return [];
    return [partialLoss(nameObject(owner), { served: owner.below.filter(isPod).length, lost })];
  });
  const [first] = parts;
  if (first === undefined) return [];
  if (isAllowed) return parts.map(allowedLoss);
  const losers = (services ?? []).flatMap((service) => {
    const selector = textsAt(service, "spec", "selector");
    if (Object.keys(selector).length === 0) return [];
    const loses = [...unserved.values()].flat().some((pod) => hasLabels(labelsOf(pod), selector));
    return loses ? [textAt(service, "metadata", "name") ?? ""] : [];
  });
  const whose =
    losers.length === 0
      ? []
      : [`${losers.length === 1 ? "Service" : "Services"} ${quotedList(losers)} would lose theirs`];
  throw refusal(key, [...parts, ...whose, "--allow-partial does it all the same"].join("; "));
}

/** Whether it is worth asking whose the pod is. */
function mayBelongTo({ selector, below }: OwnerOf, pod: unknown): boolean {
  if (selector !== undefined) return selects(selector, labelsOf(pod));
  const kind = controllerKind(pod);
  return kind !== undefined && below.some((object) => controllerKind(object) === kind);
}

function controllerKind(object: unknown): string | undefined {
  const controller = listAt(object, "metadata", "ownerReferences").find((one) => at(one, "controller") === true);
  return textAt(controller, "kind");
}

/** Below an owner without pods stand workloads. */
function isPod(object: unknown): boolean {
  return at(object, "spec", "template") === undefined;
}
