/**
 * Whose Leases there are. Promises one answer to which Lease is a session's: the one that names it as its holder, for labels may
 * have been changed by anybody; they are only what makes looking for all sessions of a cluster cheap.
 */
import { at, textAt } from "../kube/json.ts";
import { headOf, kinds, type Objects } from "../kube/objects.ts";
import { isDnsLabel } from "../model/host-name.ts";
import { type ServiceKey, serviceKey } from "../model/service-key.ts";
import { labels, leaseName, managedSelector } from "./records.ts";
import { parseLease, type SeenLease } from "./session-lease.ts";

/** A Lease, and what it is of. */
export interface FoundLease {
  /** A UUID. */
  readonly session: string;
  readonly namespace: string;
  /** Undefined where neither record nor label says so. */
  readonly key: ServiceKey | undefined;
  readonly lease: SeenLease;
}

/**
 * Those with the labels of any session, of a namespace or of all: a single request.
 * @throws LocalizerError when they may not be listed, or the API server cannot be asked; `aborted`
 */
export async function findLeases(
  objects: Pick<Objects, "list">,
  { namespace }: { readonly namespace?: string | undefined },
  signal: AbortSignal,
): Promise<readonly FoundLease[]> {
  const where = { ...(namespace === undefined ? {} : { namespace }), labelSelector: managedSelector };
  return readLeases(await objects.list(kinds.leases, where, signal));
}

/** Those that these sessions hold, or whoever puts back after them, whatever their labels say. Throws as `findLeases`. */
export async function heldLeases(
  objects: Pick<Objects, "list">,
  { namespace, sessions }: { readonly namespace: string; readonly sessions: readonly string[] },
  signal: AbortSignal | undefined,
): Promise<readonly FoundLease[]> {
  if (sessions.length === 0) return [];
  const found = readLeases(await objects.list(kinds.leases, { namespace }, signal));
  return found.filter(({ session }) => sessions.includes(session));
}

function readLeases(objects: readonly unknown[]): readonly FoundLease[] {
  return objects.flatMap((object) => {
    const lease = parseLease(object);
    if (lease === undefined) return [];
    const { namespace = "" } = lease.ref;
    return [{ session: lease.session, namespace, key: lease.record?.key ?? keyOfLabel(object), lease }];
  });
}

/** Where the record cannot be read: the label has the Service's name, which the Lease is named after. */
function keyOfLabel(lease: unknown): ServiceKey | undefined {
  const service = textAt(at(lease, "metadata", "labels"), labels.service) ?? "";
  const { namespace, name } = headOf(lease);
  if (!isDnsLabel(service)) return undefined;
  const key = serviceKey(namespace, service);
  return leaseName(key) === name ? key : undefined;
}
