/**
 * Finds sessions that may be dead by what they have left in the cluster: Leases, and annotations of owners. Promises that a
 * session whose Lease is there is never taken for one without.
 */
import { codeOf, LocalizerError } from "../errors.ts";
import { type Discovery, type ScalableKinds, splitApiVersion } from "../kube/discovery.ts";
import { flagAt, listAt, textAt } from "../kube/json.ts";
import { headOf } from "../kube/objects.ts";
import { scaleWay } from "../kube/scalable-owner.ts";
import type { ServiceKey } from "../model/service-key.ts";
import { type EndingOwner, endingOwners } from "./endings.ts";
import { type FoundLease, findLeases, heldLeases } from "./found-leases.ts";
import { markOf } from "./records.ts";
import type { Report } from "./report.ts";
import { describeOwner, type ScaleComponents } from "./scale.ts";
import type { SeenLease } from "./session-lease.ts";

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
  /** Why it may not be ended though it is silent: what is left of it is not as localizer leaves it. */
  readonly refusal?: LocalizerError | undefined;
}

/** The kinds whose objects a session may have scaled, as far as the API server says. */
export type SearchedKinds = Pick<ScalableKinds, "kinds" | "unknownGroups">;

/** What a session may have scaled; reports what could not be asked. Throws as Discovery.scalableKinds. */
export async function scalableKinds(
  { discovery }: Pick<SearchComponents, "discovery">,
  { signal, report }: SearchOptions,
): Promise<SearchedKinds> {
  const found = await discovery.scalableKinds(signal);
  for (const { message } of found.failures) report({ level: "warn", step: "preflight", message });
  return found;
}

/**
 * All sessions, living or dead, of a place.
 * @throws LocalizerError when Leases may not be listed, or the API server cannot be asked; `aborted`
 */
export async function findSuspects(
  components: SearchComponents,
  { namespace, key }: SearchScope,
  scalable: SearchedKinds,
  options: SearchOptions,
): Promise<readonly Suspect[]> {
  const where = namespace === undefined ? {} : { namespace };
  // Leases last: they are made before the first owner is scaled, and go when all owners are back. The other way round a
  // session that begins meanwhile would be taken for one whose Lease is gone.
  const marked = await findMarked(components, where, scalable, options);
  const found = new Map<string, Suspect>();
  const held = new Set<string>();
  for (const { session, namespace, key, lease } of await allLeases(components, where, marked, options.signal)) {
    const { record } = lease;
    const place = placeOf({ session, namespace });
    const recorded = record === undefined ? [] : endingOwners(record);
    for (const { uid } of recorded) held.add(`${namespace}/${uid}`);
    // The record's own words win: it may know the number.
    const owners = new Map([...(marked.get(place)?.owners ?? []), ...recorded].map((owner) => [owner.uid, owner]));
    const rival = found.get(place)?.lease;
    const refusal =
      rival === undefined ? await unscalable(components, recorded, scalable, options) : twoLeases(rival, lease);
    found.set(place, { session, namespace, key, lease, owners, refusal });
  }
  for (const [place, { session, namespace, owners: all }] of marked) {
    // What a Lease speaks for is its session's, though an old mark came back (`kubectl rollout undo`).
    const owners = new Map(
      all.filter(({ uid }) => !held.has(`${namespace}/${uid}`)).map((owner) => [owner.uid, owner]),
    );
    if (found.has(place) || owners.size === 0) continue;
    found.set(place, { session, namespace, key: undefined, lease: undefined, owners });
  }
  return [...found.values()].filter((one) => key === undefined || one.key === key || one.lease === undefined);
}

/**
 * Those with the labels of a session, and those that are held by a session which owners name: its labels may have been changed, and
 * a session without a Lease is ended at once.
 */
async function allLeases(
  components: SearchComponents,
  where: { readonly namespace?: string },
  marked: ReadonlyMap<string, MarkedSession>,
  signal: AbortSignal,
): Promise<readonly FoundLease[]> {
  const labelled = await findLeases(components.objects, where, signal);
  const known = new Set(labelled.map(({ lease }) => lease.uid));
  const places = new Set(labelled.map(placeOf));
  const missing = [...marked].filter(([place]) => !places.has(place));
  const others: FoundLease[] = [];
  for (const namespace of new Set(missing.map(([, session]) => session.namespace))) {
    const sessions = [...marked.values()].filter((one) => one.namespace === namespace).map(({ session }) => session);
    const found = await heldLeases(components.objects, { namespace, sessions }, signal);
    others.push(...found.filter(({ lease }) => !known.has(lease.uid)));
  }
  return [...labelled, ...others];
}

/** A session that owners name. */
interface MarkedSession extends Pick<Suspect, "session" | "namespace"> {
  readonly owners: readonly EndingOwner[];
}

/** Tells sessions apart: one is of its namespace, and nobody of another one has a say, whatever he calls his. Pure. */
export function placeOf({ session, namespace }: Pick<Suspect, "session" | "namespace">): string {
  return `${namespace}/${session}`;
}

/** Whoever made the second one may have meant the first to seem dead. */
function twoLeases({ session, ref }: SeenLease, other: SeenLease): LocalizerError {
  const both = `"${ref.namespace}/${ref.name}" and "${other.ref.namespace}/${other.ref.name}"`;
  const sentence = `Cannot end session ${session}: the Leases ${both} both name it; delete the one that is not localizer's`;
  return new LocalizerError("conflict", sentence);
}

/** Why owners of a record may not be scaled: undefined when all are of kinds with /scale, or do not exist any more. */
async function unscalable(
  { objects }: SearchComponents,
  owners: readonly EndingOwner[],
  scalable: SearchedKinds,
  { signal }: SearchOptions,
): Promise<LocalizerError | undefined> {
  for (const owner of owners) {
    const isKnown = scalable.kinds.some(
      ({ group, plural, kind }) => group === owner.group && plural === owner.plural && kind === owner.kind,
    );
    if (isKnown && owner.scaleBy === scaleWay(owner)) continue;
    const action = `Cannot scale ${describeOwner(owner)} back`;
    try {
      await objects.get(owner, signal);
    } catch (error) {
      // Its kind may have gone with it.
      if (codeOf(error) === "not-found") continue;
      if (codeOf(error) === "aborted") throw error;
      return LocalizerError.wrap(error, action);
    }
    if (!isKnown && scalable.unknownGroups.has(owner.group)) {
      const part = owner.group === "" ? "the core of the API" : `API group "${owner.group}"`;
      const sentence = `${action}: ${part} could not be asked what can be scaled; try again when it answers`;
      return new LocalizerError("unavailable", sentence);
    }
    return new LocalizerError("conflict", `${action}: the cluster does not say that it can be scaled in this way`);
  }
  return undefined;
}

/** Owners say themselves which session has scaled them: the one record that outlives a deleted Lease. By `placeOf`. */
async function findMarked(
  { objects }: SearchComponents,
  where: { readonly namespace?: string },
  scalable: SearchedKinds,
  { signal, report }: SearchOptions,
): Promise<ReadonlyMap<string, MarkedSession>> {
  const found = new Map<string, MarkedSession>();
  for (const { group, version, plural, kind } of scalable.kinds) {
    const resource = { group, version, plural };
    try {
      for await (const item of objects.heads(resource, where, signal)) {
        const sessions = markOf(item)?.sessions ?? [];
        if (sessions.length === 0 || isScaledByOwner(item, scalable)) continue;
        const { name, namespace, uid } = headOf(item);
        const owner = { ...resource, kind, namespace, name, uid, scaleBy: scaleWay(resource) };
        for (const session of sessions) {
          const place = placeOf({ session, namespace });
          found.set(place, { session, namespace, owners: [...(found.get(place)?.owners ?? []), owner] });
        }
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
 * So may those that belong to a kind of a group that gave no answer.
 */
function isScaledByOwner(item: unknown, { kinds: known, unknownGroups }: SearchedKinds): boolean {
  const controller = listAt(item, "metadata", "ownerReferences").find((one) => flagAt(one, "controller") === true);
  const { group } = splitApiVersion(textAt(controller, "apiVersion") ?? "");
  if (controller !== undefined && unknownGroups.has(group)) return true;
  return known.some((kind) => kind.kind === textAt(controller, "kind") && kind.group === group);
}
