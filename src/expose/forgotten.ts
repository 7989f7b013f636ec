/**
 * Finds sessions whose holders are gone and puts back what they have changed, from whatever is left of them: their Leases, or
 * the annotations of the owners alone. Promises that a session that gives a sign of life is left alone, whoever holds it.
 */
import { LocalizerError } from "../errors.ts";
import type { ServiceKey } from "../model/service-key.ts";
import { newClaim, whileClaimed } from "./claim.ts";
import { endSession } from "./endings.ts";
import { isAlive } from "./is-alive.ts";
import type { Report } from "./report.ts";
import type { Claim, SeenLease } from "./session-lease.ts";
import { findSuspects, type SearchComponents, type Suspect, scalableKinds } from "./suspects.ts";

/** Where to look. */
export interface RestoreScope {
  /** All when undefined. */
  readonly namespaces?: readonly string[] | undefined;
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
  /** Who does it; a stranger of its own when absent. */
  readonly by?: Claim;
}

/**
 * Looks for sessions, watches those with a Lease for as long as they promised a sign of life, and ends those without.
 * @throws LocalizerError when it cannot look at all; `aborted`
 */
export async function restoreForgotten(
  components: SearchComponents,
  { namespaces, key }: RestoreScope,
  options: RestoreOptions,
): Promise<RestoreResult> {
  const { signal, report, graceMs = 0 } = options;
  const kinds = await scalableKinds(components, options);
  const suspects: Suspect[] = [];
  for (const namespace of namespaces ?? [undefined]) {
    suspects.push(...(await findSuspects(components, { namespace, key }, kinds, options)));
  }
  const alive: SeenLease[] = [];
  const failures: LocalizerError[] = [];
  let restored = 0;
  await Promise.all(
    suspects.map(async (suspect) => {
      const { lease } = suspect;
      try {
        if (lease !== undefined) {
          const patient = { ...lease, durationMs: lease.durationMs + graceMs };
          const seconds = Math.round(patient.durationMs / 1_000);
          const message = `Waiting up to ${seconds} s for a sign of life of ${describeHolder(suspect)}`;
          report({ level: "info", step: "preflight", message });
          if (await isAlive(components, patient, signal)) {
            alive.push(lease);
            return;
          }
        }
        if (await endSuspect(components, suspect, options)) {
          restored++;
          // Now: others may have to be watched for minutes yet.
          report({ level: "info", step: "ended", message: describeEnd(suspect) });
        } else if (lease !== undefined) alive.push(lease);
      } catch (thrown) {
        const error = LocalizerError.from(thrown);
        failures.push(error);
        if (error.code !== "aborted") report({ level: "error", step: "scale-back", message: error.message });
      }
    }),
  );
  return { restored, alive, failures };
}

/**
 * Ends the session of a Lease that has been watched, and found dead. Gives and throws as `endSuspect`.
 * @param key of its Service, where it is known better than by the Lease
 */
export async function endDead(
  components: SearchComponents,
  lease: SeenLease,
  key: ServiceKey | undefined,
  options: RestoreOptions,
): Promise<boolean> {
  const { namespace = "" } = lease.ref;
  const suspects = await findSuspects(components, { namespace }, await scalableKinds(components, options), options);
  const { session } = lease;
  const suspect = suspects.find((one) => one.session === session);
  const known = key ?? suspect?.key;
  return await endSuspect(
    components,
    { session, namespace, owners: new Map(), ...suspect, key: known, lease },
    options,
  );
}

/**
 * Ends it, its Lease claimed before. Gives whether it did: not when there was a sign of life since the Lease was seen.
 * @throws LocalizerError as `whileClaimed` and `endSession`, and its refusal
 */
export async function endSuspect(
  components: SearchComponents,
  { session, namespace, key, owners, refusal, lease }: Suspect,
  options: RestoreOptions,
): Promise<boolean> {
  if (refusal !== undefined) throw refusal;
  const ending = { session, namespace, key, owners: [...owners.values()] };
  const end = (signal: AbortSignal, leaseGoes = async () => {}) =>
    endSession(components, ending, { ...options, signal, leaseGoes });
  if (lease !== undefined) {
    const { by = newClaim("localizer restore") } = options;
    return await whileClaimed(components, { lease, by }, options.signal, end);
  }
  await end(options.signal);
  return true;
}

/** That it was ended, for messages. */
export function describeEnd({ lease, key, namespace }: Pick<Suspect, "lease" | "key" | "namespace">): string {
  if (key !== undefined) return `"${key}" is not exposed by ${exposerOf(lease)} any more`;
  return `An exposure without a Lease has ended in namespace "${namespace}"`;
}

/** Whose sign of life counts: `alice@laptop, who exposes "shop/cart"`, or who has claimed it since, for messages. */
export function describeHolder({ lease, key, namespace }: Pick<Suspect, "lease" | "key" | "namespace">): string {
  const what = key === undefined ? `a service of namespace "${namespace}"` : `"${key}"`;
  const exposer = exposerOf(lease);
  if (lease === undefined || lease.claim === "") return `${exposer}, who exposes ${what}`;
  return `${lease.holder || "somebody"}, who puts back ${what} after ${exposer}`;
}

/** A claim stands in the holder's place: then only the record says who it was. */
function exposerOf(lease: SeenLease | undefined): string {
  const named = lease?.claim === "" ? lease.holder : lease?.record?.holder;
  return named || "somebody";
}
