/** Who stands behind a Service: its pods and their owners, or the workloads that would make its pods if they were scaled up. */
import type { Discovery } from "../kube/discovery.ts";
import { serviceNameLabel } from "../kube/endpoint-slice.ts";
import { fewAtOnce } from "../kube/few-at-once.ts";
import { at, listAt, textAt, textsAt } from "../kube/json.ts";
import { hasLabels, selectorText } from "../kube/label-selector.ts";
import { kinds, type Objects } from "../kube/objects.ts";
import { findOwners, type Ownership } from "../kube/owners.ts";
import { templateLabels } from "../kube/scalable-owner.ts";
import type { ExposableService } from "./exposable-service.ts";
import { listIfAllowed } from "./list-if-allowed.ts";
import { quotedList } from "./quoted-list.ts";
import { labels } from "./records.ts";

/** What was found. */
export interface Backing extends Ownership {
  /** Living pods, without those of exposures. */
  readonly pods: readonly unknown[];
  readonly warnings: readonly string[];
}

/** What is asked. */
export interface BackingComponents {
  readonly objects: Pick<Objects, "get" | "getScale" | "list">;
  readonly discovery: Pick<Discovery, "find" | "scalableKinds">;
}

const listsAtOnce = 8;

/** Throws as Objects.list and findOwners. */
export async function findBacking(
  components: BackingComponents,
  service: ExposableService,
  signal?: AbortSignal,
): Promise<Backing> {
  const { namespace, name } = service;
  const { objects } = components;
  const [pods, endpoints] = await Promise.all([
    listPods(objects, service, signal),
    objects.list(kinds.endpointSlices, { namespace, labelSelector: `${serviceNameLabel}=${name}` }, signal),
  ]);
  const warnings = endpoints.flatMap(foreignEndpoints);
  if (pods.length === 0) return await byTemplate(components, service, { pods, warnings }, signal);
  const starts = pods.map((object) => ({ object }));
  return { pods, warnings, ...(await findOwners(components, starts, signal)) };
}

/** The living pods that a Service selects, without those of exposures. Throws as Objects.list. */
export async function listPods(
  objects: Pick<Objects, "list">,
  { namespace, selector }: Pick<ExposableService, "namespace" | "selector">,
  signal?: AbortSignal,
): Promise<readonly unknown[]> {
  const pods = await objects.list(kinds.pods, { namespace, labelSelector: selectorText(selector) }, signal);
  return pods.filter(isLivingPod);
}

/** Says whether it is a pod that lives and is none of an exposure. Pure. */
export function isLivingPod(pod: unknown): boolean {
  return isLiving(pod) && !isOurs(pod);
}

/** No pods: they may be scaled down, by somebody's exposure or for another reason. */
async function byTemplate(
  components: BackingComponents,
  { namespace, selector }: ExposableService,
  { pods, warnings }: Pick<Backing, "pods" | "warnings">,
  signal: AbortSignal | undefined,
): Promise<Backing> {
  const { kinds: scalable, failures } = await components.discovery.scalableKinds(signal);
  const namespaced = scalable.filter((kind) => kind.namespaced);
  const closed: string[] = [];
  const starts = await fewAtOnce(namespaced, listsAtOnce, async (kind) => {
    const items = await listIfAllowed(components.objects, kind, namespace, signal);
    if (items === undefined) closed.push(kind.group === "" ? kind.plural : `${kind.plural}.${kind.group}`);
    const matching = (items ?? []).filter((item) =>
      hasLabels(textsAt(item, "spec", "template", "metadata", "labels"), selector),
    );
    return matching.map((object) => ({ object, kind }));
  });
  const ownership = await findOwners(components, starts.flat(), signal);
  // A ReplicaSet of former days may match where its Deployment does no longer.
  const owners = ownership.owners.filter((owner) => {
    const made = templateLabels(owner);
    return made === undefined || hasLabels(made, selector);
  });
  const unseen = [
    ...(closed.length > 0
      ? [`Cannot look for workloads among ${quotedList(closed.sort())}: you may not list them`]
      : []),
    ...failures.map(({ message }) => `Cannot look for workloads in a part of the API: ${message}`),
  ];
  const nobody = `The Service has no pods, and no workload of namespace "${namespace}" makes pods for it: nothing is scaled`;
  return { ...ownership, owners, pods, warnings: [...warnings, ...(owners.length === 0 ? [nobody, ...unseen] : [])] };
}

function isLiving(pod: unknown): boolean {
  const phase = textAt(pod, "status", "phase");
  return at(pod, "metadata", "deletionTimestamp") === undefined && phase !== "Succeeded" && phase !== "Failed";
}

/** The pod of an exposure, of ours or of somebody else. The Service's selector may have taken other labels of it. */
function isOurs(pod: unknown): boolean {
  return textAt(pod, "metadata", "labels", labels.session) !== undefined;
}

/** Endpoints that somebody else than Kubernetes' own controller keeps for the Service: no owner of ours takes them away. */
function foreignEndpoints(slice: unknown): string[] {
  const count = listAt(slice, "endpoints").length;
  const writer = textAt(slice, "metadata", "labels", "endpointslice.kubernetes.io/managed-by");
  if (count === 0 || writer === "endpointslice-controller.k8s.io") return [];
  const name = textAt(slice, "metadata", "name") ?? "";
  const who = writer === undefined ? "by hand" : `by "${writer}"`;
  return [
    `EndpointSlice "${name}" is written ${who}: its endpoints (${count}) go on answering beside the local process`,
  ];
}
