/**
 * Finds sessions that may be dead by what they have left in the cluster: Leases, and annotations of owners. Promises that a
 * session whose Lease is there is never taken for one without.
 */
import { codeOf, LocalizerError } from "../errors.ts";
import { type Discovery, type ServedKind, splitApiVersion } from "../kube/discovery.ts";
import { at, flagAt, listAt, textAt } from "../kube/json.ts";
import { headOf, kinds } from "../kube/objects.ts";
import { scaleWay } from "../kube/scalable-owner.ts";
import { isDnsLabel } from "../model/host-name.ts";
import { type ServiceKey, serviceKey } from "../model/service-key.ts";
import { type EndingOwner, endingOwners } from "./endings.ts";
import { labels, leaseName, managedSelector, markOf } from "./records.ts";
import type { Report } from "./report.ts";
import type { ScaleComponents } from "./scale.ts";
import { parseLease, type SeenLease } from "./session-lease.ts";

/** What is looked with. */
export interface SearchComponents extends ScaleComponents {
  readonly discovery: Pick<Discovery, "scalableKinds">;
}

/** Where to look. */
export interface SearchScope {
  /** All namespaces when undefined. */
  readonly namespace?: string | undefined;
  /** Only sessions of this Service; then owners that name a session without a Lease are looked at in its namespace. */
  readonly key?: ServiceKey | undefined;
}

/** Who hears of what could not be looked at. */
export interface SearchOptions {
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** A session that may be dead. */
export interface Suspect {
  /** A UUID. */
  readonly session: string;
  readonly namespace: string;
  /** Undefined where no record that is left says so. */
  readonly key: ServiceKey | undefined;
  /** Undefined when it is gone: then nobody lives who could end the session. */
  readonly lease: SeenLease | undefined;
  /** By uid. */
  readonly owners: ReadonlyMap<string, EndingOwner>;
}

/** The kinds whose objects a session may have scaled. Throws as Discovery.scalableKinds. */
export async function scalableKinds(
  { discovery }: Pick<SearchComponents, "discovery">,
  { signal, report }: SearchOptions,
): Promise<readonly ServedKind[]> {
  const found = await discovery.scalableKinds(signal);
  for (const { message } of found.failures) report({ level: "warn", step: "preflight", message });
  return found.kinds;
}

/**
 * All sessions, living or dead, of a place.
 * @throws LocalizerError when Leases may not be listed, or the API server cannot be asked; `aborted`
 */
export async function findSuspects(
  components: SearchComponents,
  { namespace, key }: SearchScope,
  scalable: readonly ServedKind[],
  options: SearchOptions,
): Promise<readonly Suspect[]> {
  const { objects } = components;
  const where = namespace === undefined ? {} : { namespace };
  // Leases last: they are made before the first owner is scaled, and go when all owners are back. The other way round a
  // session that begins meanwhile would be taken for one whose Lease is gone.
  const marked = await findMarked(components, where, scalable, options);
  const found = new Map<string, Suspect>();
  for (const object of await objects.list(kinds.leases, { ...where, labelSelector: managedSelector }, options.signal)) {
    const lease = parseLease(object);
    if (lease === undefined) continue;
    const { session, record } = lease;
    const recorded = record === undefined ? [] : endingOwners(record);
    // The record's own words win: it may know the number.
    const owners = new Map([...(marked.get(session) ?? []), ...recorded].map((owner) => [owner.uid, owner]));
    const suspectKey = record?.key ?? keyOfLabel(object);
    found.set(session, { session, namespace: lease.ref.namespace ?? "", key: suspectKey, lease, owners });
  }
  for (const [session, ownersOf] of marked) {
    const [first] = ownersOf;
    if (found.has(session) || first === undefined) continue;
    const owners = new Map(ownersOf.map((owner) => [owner.uid, owner]));
    found.set(session, { session, namespace: first.namespace, key: undefined, lease: undefined, owners });
  }
  return [...found.values()].filter((one) => key === undefined || one.key === key || one.lease === undefined);
}

/** Owners say themselves which session has scaled them: the one record that outlives a deleted Lease. By session. */
async function findMarked(
  { objects }: SearchComponents,
  where: { readonly namespace?: string },
  scalable: readonly ServedKind[],
  { signal, report }: SearchOptions,
): Promise<ReadonlyMap<string, readonly EndingOwner[]>> {
  const found = new Map<string, EndingOwner[]>();
  for (const { group, version, plural, kind } of scalable) {
    const resource = { group, version, plural };
    try {
      for await (const item of objects.heads(resource, where, signal)) {
        const sessions = markOf(item)?.sessions ?? [];
        if (sessions.length === 0 || isScaledByOwner(item, scalable)) continue;
        const { name, namespace, uid } = headOf(item);
        const owner = { ...resource, kind, namespace, name, uid, scaleBy: scaleWay(resource) };
        for (const session of sessions) found.set(session, [...(found.get(session) ?? []), owner]);
      }
    } catch (error) {
      if (codeOf(error) !== "denied" && codeOf(error) !== "not-found") throw error;
      const message = `Did not look at ${plural}: ${LocalizerError.from(error).message}`;
      if (codeOf(error) === "denied") report({ level: "warn", step: "preflight", message });
    }
  }
  return found;
}

/**
 * A Deployment's annotations are copied to its ReplicaSets and never taken off there (SetNewReplicaSetAnnotations in
 * pkg/controller/deployment/util): they say nothing of the ReplicaSet, whose number is the Deployment's business.
 */
function isScaledByOwner(item: unknown, scalable: readonly ServedKind[]): boolean {
  const controller = listAt(item, "metadata", "ownerReferences").find((one) => flagAt(one, "controller") === true);
  const { group } = splitApiVersion(textAt(controller, "apiVersion") ?? "");
  return scalable.some((kind) => kind.kind === textAt(controller, "kind") && kind.group === group);
}

/** Where the record cannot be read: the label has the Service's name, which the Lease is named after. */
function keyOfLabel(lease: unknown): ServiceKey | undefined {
  const service = textAt(at(lease, "metadata", "labels"), labels.service) ?? "";
  const { namespace, name } = headOf(lease);
  if (!isDnsLabel(service)) return undefined;
  const key = serviceKey(namespace, service);
  return leaseName(key) === name ? key : undefined;
}
