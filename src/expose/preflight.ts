/**
 * preflight: everything that is known before anything is changed. Promises that it only reads, that a Service which cannot be exposed is
 * refused with the reason, and that what will surprise somebody is said. Used by a session, and alone for a dry run.
 */
import { codeOf } from "../errors.ts";
import { resourceName } from "../kube/access-review.ts";
import type { ApiClient } from "../kube/api-client.ts";
import type { Discovery } from "../kube/discovery.ts";
import { textAt } from "../kube/json.ts";
import { labelsOf } from "../kube/label-selector.ts";
import { kinds, type Objects } from "../kube/objects.ts";
import { findOwners, type OwnerOf } from "../kube/owners.ts";
import { nameObject, type ScalableOwner, wouldAdopt } from "../kube/scalable-owner.ts";
import { namespaceOf, type ServiceKey } from "../model/service-key.ts";
import { findAdopters } from "./adopters.ts";
import { autoscalerWarnings } from "./autoscalers.ts";
import { type Backing, findBacking, listPods } from "./backing.ts";
import { declaredStateWarnings } from "./declared-state.ts";
import { readExposable, refusal } from "./exposable-service.ts";
import { listIfAllowed } from "./list-if-allowed.ts";
import { meshWarnings } from "./mesh.ts";
import { checkRights, reviewBasics } from "./missing-rights.ts";
import { networkPolicyWarnings } from "./network-policies.ts";
import { otherServiceWarnings, servicesByLabel } from "./other-services.ts";
import {
  allowedLoss,
  type ExposePlan,
  type FoundOwners,
  type OwnersQuestion,
  type PlannedOwner,
  volumeLoss,
} from "./plan.ts";
import { podSettings } from "./pod-settings.ts";
import { podSources } from "./pod-source.ts";
import { mapPorts, mapWarnings } from "./port-map.ts";
import { quotedList } from "./quoted-list.ts";
import { markOf, sessionLabels } from "./records.ts";
import { targetPorts } from "./target-ports.ts";
import { checkPartial, type UnservedPods, unservedPods } from "./unserved-pods.ts";

/** What is asked. */
export interface PreflightComponents {
  readonly objects: Pick<Objects, "get" | "getScale" | "list">;
  readonly discovery: Pick<Discovery, "find" | "scalableKinds">;
  readonly client: Pick<ApiClient, "request">;
}

/** What the user wants. */
export interface PreflightWish {
  readonly key: ServiceKey;
  /** As on the command line: `8080:80`. */
  readonly maps: readonly string[];
  /** Volumes that go with a StatefulSet's pods may go. */
  readonly allowVolumeLoss: boolean;
  /** Pods that the Service does not lead to may go with the others of their owner. */
  readonly allowPartial: boolean;
  /** What the user wants of the pod. */
  readonly pod?: { readonly labels?: Readonly<Record<string, string>> };
}

/**
 * Finds out all that a session needs to know.
 * @throws LocalizerError `not-found` with the nearest names, `denied` naming each right that is missing, `conflict` when the Service is none
 * that can be exposed, `usage` when an entry of the map is wrong, and as ApiClient.request for what could not be read
 */
export async function preflight(
  components: PreflightComponents,
  { key, maps, allowVolumeLoss, allowPartial, pod = {} }: PreflightWish,
  signal?: AbortSignal,
): Promise<ExposePlan> {
  const { objects, client } = components;
  const basics = await reviewBasics(client, key, signal);
  const service = await readExposable(objects, key, signal);
  const backing = await findBacking(components, service, signal);
  refuseUnscalable(key, backing);
  // First, for where owners may not be read it is unknown what the pods are made from.
  const rightWarnings = await checkRights(client, { key, ...backing, basics }, signal);
  const sources = podSources(backing);
  const { ports, warnings: portWarnings } = targetPorts(service, sources);
  const mapped = mapPorts(maps, ports);
  const volumeWarnings = checkVolumes(key, backing.owners, allowVolumeLoss);
  // As it stands behind the Service.
  const ours = { ...pod.labels, ...sessionLabels({ key, session: "" }), ...service.selector };
  const theirs = [...backing.pods, ...sources.map((source) => source.pod)];
  const listing = listIfAllowed(objects, kinds.services, service.namespace, signal);
  const policyWarnings = async () => {
    const compared = { namespace: service.namespace, exposed: service, ours, theirs: theirs.map(labelsOf) };
    return await networkPolicyWarnings(objects, { ...compared, services: (await listing) ?? [] }, signal);
  };
  const [namespace, scaling, services, adopters, unserved, policies] = await Promise.all([
    readNamespace(objects, service.namespace, signal),
    autoscalerWarnings(components, backing.owners, signal),
    listing,
    findAdopters(objects, { namespace: service.namespace, labels: ours }, signal),
    unservedPods(components, service, backing.owners, signal),
    policyWarnings(),
  ]);
  const partialWarnings = checkPartial({
    ...{ key, owners: backing.owners, unserved, services },
    isAllowed: allowPartial,
  });
  const standing = { exposed: service, ours };
  const { labels: lateLabels } = servicesByLabel(standing, pod.labels ?? {}, services ?? []);
  const withUnserved = (owner: OwnerOf) => ({ ...owner, below: [...owner.below, ...(unserved.get(owner.uid) ?? [])] });
  const below = backing.owners.flatMap((owner) => owner.below);
  const settings = podSettings({ service, sources, objects: [...backing.pods, ...below], namespace });
  return {
    key,
    serviceUid: service.uid,
    selector: service.selector,
    ports: mapped,
    owners: backing.owners.map((owner) => plannedOwner(owner, service.selector, unserved)),
    pod: settings.pod,
    adopters,
    ...(lateLabels.length > 0 ? { lateLabels } : {}),
    ...(allowVolumeLoss ? { allowsVolumeLoss: true } : {}),
    ...(allowPartial ? { allowsPartial: true } : {}),
    ...(backing.bare.length > 0 ? { errors: [bareSentence(backing.bare)] } : {}),
    warnings: [
      ...goneWarnings(backing),
      ...backing.warnings,
      ...portWarnings,
      ...mapWarnings(maps, mapped),
      ...markWarnings(backing.owners),
      ...volumeWarnings,
      ...partialWarnings,
      ...settings.warnings,
      ...scaling,
      ...declaredStateWarnings(backing.owners),
      ...meshWarnings(theirs, namespace),
      ...policies,
      ...service.trafficWarnings,
      ...otherServiceWarnings(standing, backing.owners.map(withUnserved), services ?? []),
      ...(services === undefined
        ? ["Cannot see which other Services lead to the same pods: you may not list services"]
        : []),
      ...rightWarnings,
    ],
  };
}

/**
 * The owners that the pods of a plan's Service have now, without those of exposures; none that has no pods. Which of them are
 * `partlyServed` is looked for among those that are above 0 and not known. Throws as findOwners.
 */
export async function plannedOwners(
  { objects, discovery }: Pick<PreflightComponents, "objects" | "discovery">,
  { key, selector, known = [] }: OwnersQuestion,
  signal?: AbortSignal,
): Promise<FoundOwners> {
  const pods = await listPods(objects, { namespace: namespaceOf(key), selector }, signal);
  const starts = pods.map((object) => ({ object }));
  const { owners, unscalable, denied } = await findOwners({ objects, discovery }, starts, signal);
  const news = owners.filter(({ uid, replicas }) => replicas > 0 && known.every((one) => one.uid !== uid));
  const unserved = await unservedPods({ objects, discovery }, { namespace: namespaceOf(key), selector }, news, signal);
  return {
    owners: owners.map((owner) => plannedOwner(owner, selector, unserved)),
    closed: [
      ...unscalable.map((owner) => `${nameObject(owner)}, which cannot be scaled to 0`),
      ...denied.map((right) => `a workload that you may not read (${right.verb} ${resourceName(right)})`),
    ],
  };
}

function refuseUnscalable(key: ServiceKey, { unscalable }: Backing): void {
  if (unscalable.length === 0) return;
  const whose = unscalable.map(nameObject).join(", ");
  throw refusal(key, `pods of it belong to ${whose}, which cannot be scaled to 0`);
}

/** Gives the warning when the volumes may go. */
function checkVolumes(key: ServiceKey, owners: readonly ScalableOwner[], isAllowed: boolean): readonly string[] {
  const losing = owners.filter(({ losesVolumes }) => losesVolumes).map(nameObject);
  if (losing.length === 0) return [];
  const what = volumeLoss(losing.join(", "));
  if (!isAllowed) throw refusal(key, `${what}; --allow-volume-loss does it all the same`);
  return [allowedLoss(what)];
}

/** They stay, because nobody can be scaled for them, and the Service leads to them as well. */
function bareSentence(bare: readonly unknown[]): string {
  const names = bare.map((pod) => textAt(pod, "metadata", "name") ?? "");
  const [subject, verbs] =
    names.length === 1
      ? ["Pod", "has no controller: it is left alone and goes"]
      : ["Pods", "have no controller: they are left alone and go"];
  return `${subject} ${quotedList(names)} ${verbs} on answering beside the local process`;
}

function goneWarnings({ gone }: Backing): readonly string[] {
  return gone.map((owner) => `${nameObject(owner)} does not exist any more: what is left of its pods is left alone`);
}

/** Whoever looks at a dry run would wonder about an owner that is at 0 already. Whether that exposure lives is seen when it is scaled. */
function markWarnings(owners: readonly OwnerOf[]): readonly string[] {
  return owners.flatMap((owner) => {
    const mark = markOf({ metadata: owner });
    if (mark === undefined) return [];
    const before = mark.replicas === undefined ? "" : `, and had ${mark.replicas} replicas before`;
    return [`${nameObject(owner)} has the marks of an exposure of "${mark.holder}"${before}`];
  });
}

function plannedOwner(owner: OwnerOf, selector: ExposePlan["selector"], unserved: UnservedPods): PlannedOwner {
  const { group, version, plural, kind, namespace, name, uid, replicas, scaleBy } = owner;
  const known = { group, version, plural, kind, namespace, name, uid, replicas, scaleBy };
  const risks = {
    ...(owner.losesVolumes ? { losesVolumes: true } : {}),
    ...(unserved.has(owner.uid) ? { partlyServed: true } : {}),
  };
  return { ...known, adopts: wouldAdopt(owner, selector), ...risks };
}

/** Tells of meshes and OpenShift; who may not see it goes without. */
async function readNamespace(objects: Pick<Objects, "get">, name: string, signal: AbortSignal | undefined) {
  try {
    return await objects.get({ group: "", version: "v1", plural: "namespaces", name }, signal);
  } catch (error) {
    if (codeOf(error) === "denied" || codeOf(error) === "not-found") return undefined;
    throw error;
  }
}
