/**
 * Finds sessions whose holders are gone and puts back what they have changed, from whatever is left of them: their Leases, or
 * the annotations of the owners alone. Promises that a session that gives a sign of life is left alone, whoever holds it.
 */
import { codeOf, LocalizerError } from "../errors.ts";
import type { Discovery } from "../kube/discovery.ts";
import { at, textAt } from "../kube/json.ts";
import { headOf, kinds } from "../kube/objects.ts";
import { scaleWay } from "../kube/scalable-owner.ts";
import { isDnsLabel } from "../model/host-name.ts";
import { type ServiceKey, serviceKey } from "../model/service-key.ts";
import { type EndingOwner, endingOwners, endSession } from "./endings.ts";
import { labels, leaseName, managedSelector, markOf } from "./records.ts";
import type { Report } from "./report.ts";
import type { ScaleComponents } from "./scale.ts";
import { isAlive, parseLease, type SeenLease } from "./session-lease.ts";

/** What it works with. */
export interface RestoreComponents extends ScaleComponents {
  readonly discovery: Pick<Discovery, "scalableKinds">;
}

/** Where to look. */
export interface RestoreScope {
  /** All namespaces when undefined. */
  readonly namespace?: string | undefined;
  /** Only sessions of this Service; then owners that name a session without a Lease are looked at in its namespace. */
  readonly key?: ServiceKey | undefined;
}

/** What was found. */
export interface RestoreResult {
  /** Sessions that were ended. */
  readonly restored: number;
  /** Sessions that live, and so were left alone. */
  readonly alive: readonly SeenLease[];
  /** Those that could not be ended, and why. */
  readonly failures: readonly LocalizerError[];
}

/** How it is done. */
export interface RestoreOptions {
  readonly signal: AbortSignal;
  readonly report: Report;
  /** How long a workload may take to become ready before the session's pod goes. */
  readonly waitMs: number;
  /** So much longer than it promised a session may be silent. */
  readonly graceMs?: number;
}

/** A session that may be dead. */
interface Suspect {
  readonly session: string;
  readonly namespace: string;
  readonly key: ServiceKey | undefined;
  readonly lease: SeenLease | undefined;
  readonly owners: Map<string, EndingOwner>;
}

/**
 * Looks for sessions, watches those with a Lease for as long as they promised a sign of life, and ends those without.
 * @throws LocalizerError when it cannot look at all; `aborted`
 */
export async function restoreForgotten(
  components: RestoreComponents,
  scope: RestoreScope,
  { signal, report, waitMs, graceMs = 0 }: RestoreOptions,
): Promise<RestoreResult> {
  const suspects = await findSuspects(components, scope, signal, report);
  const alive: SeenLease[] = [];
  const failures: LocalizerError[] = [];
  let restored = 0;
  await Promise.all(
    suspects.map(async ({ lease, session, namespace, key, owners }) => {
      try {
        if (lease !== undefined) {
          const patient = { ...lease, durationMs: lease.durationMs + graceMs };
          const seconds = Math.round(patient.durationMs / 1_000);
          const message = `Waiting up to ${seconds} s for a sign of life of ${lease.holder || "somebody"}, who exposes "${key}"`;
          report({ level: "info", step: "preflight", message });
          if (await isAlive(components, patient, signal)) {
            alive.push(lease);
            return;
          }
        }
        await endSession(
          components,
          { session, namespace, key, owners: [...owners.values()] },
          { signal, report, waitMs },
        );
        restored++;
      } catch (error) {
        failures.push(LocalizerError.from(error));
      }
    }),
  );
  return { restored, alive, failures };
}

/** Ends the session of a Lease that has been watched, and found dead. Throws as `endSession`. */
export async function endDead(
  components: RestoreComponents,
  lease: SeenLease,
  key: ServiceKey,
  options: { readonly signal: AbortSignal; readonly report: Report; readonly waitMs: number },
): Promise<void> {
  const { namespace = "" } = lease.ref;
  const suspects = await findSuspects(components, { namespace }, options.signal, options.report);
  const owners = suspects.find(({ session }) => session === lease.session)?.owners ?? new Map();
  await endSession(components, { session: lease.session, namespace, key, owners: [...owners.values()] }, options);
}

async function findSuspects(
  components: RestoreComponents,
  scope: RestoreScope,
  signal: AbortSignal,
  report: Report,
): Promise<readonly Suspect[]> {
  const where = scope.namespace === undefined ? {} : { namespace: scope.namespace };
  // Owners before Leases: a session takes its Lease before it marks an owner, so no living one is found without.
  const found = await markedSuspects(components, where, signal, report);
  const leases = await components.objects.list(kinds.leases, { ...where, labelSelector: managedSelector }, signal);
  for (const object of leases) {
    const lease = parseLease(object);
    if (lease === undefined) continue;
    const key = lease.record?.key ?? keyOfLabel(object);
    const owners = new Map(found.get(lease.session)?.owners);
    // These know more: a number.
    if (lease.record !== undefined) for (const owner of endingOwners(lease.record)) owners.set(owner.uid, owner);
    found.set(lease.session, { session: lease.session, namespace: lease.ref.namespace ?? "", key, lease, owners });
  }
  const { key } = scope;
  return [...found.values()].filter(
    (suspect) => key === undefined || suspect.key === key || suspect.lease === undefined,
  );
}

/** Owners say themselves which session has scaled them: the one record that outlives a deleted Lease. */
async function markedSuspects(
  { objects, discovery }: RestoreComponents,
  where: { readonly namespace?: string },
  signal: AbortSignal,
  report: Report,
): Promise<Map<string, Suspect>> {
  const found = new Map<string, Suspect>();
  const { kinds: scalable, failures } = await discovery.scalableKinds(signal);
  for (const { message } of failures) report({ level: "warn", step: "preflight", message });
  for (const { group, version, plural, kind } of scalable) {
    const resource = { group, version, plural };
    const scaleBy = scaleWay(resource);
    let items: readonly unknown[];
    try {
      items = await objects.list(resource, where, signal);
    } catch (error) {
      if (codeOf(error) !== "denied" && codeOf(error) !== "not-found") throw error;
      const message = `Did not look at ${resource.plural}: ${LocalizerError.from(error).message}`;
      if (codeOf(error) === "denied") report({ level: "warn", step: "preflight", message });
      continue;
    }
    for (const item of items) {
      const { name, namespace, uid } = headOf(item);
      for (const session of markOf(item)?.sessions ?? []) {
        const suspect = found.get(session) ?? {
          session,
          namespace,
          key: undefined,
          lease: undefined,
          owners: new Map(),
        };
        found.set(session, suspect);
        suspect.owners.set(uid, { ...resource, kind, namespace, name, uid, scaleBy });
      }
    }
  }
  return found;
}

/** Where the record cannot be read: the label has the Service's name, which the Lease is named after. */
function keyOfLabel(lease: unknown): ServiceKey | undefined {
  const service = textAt(at(lease, "metadata", "labels"), labels.service) ?? "";
  const { namespace, name } = headOf(lease);
  if (!isDnsLabel(service)) return undefined;
  const key = serviceKey(namespace, service);
  return leaseName(key) === name ? key : undefined;
}
