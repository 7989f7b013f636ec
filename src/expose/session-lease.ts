/**
 * The Lease that says who exposes a Service: one name for all, so that there is one session at a time, with the session's
 * record in an annotation. Whether its holder lives is judged by watching it change, never by comparing clocks of two
 * machines (as client-go's leader election does).
 */
import type { Clock } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import { numberAt, textAt } from "../kube/json.ts";
import { annotationOf, headOf, kinds, type ObjectRef, type Objects } from "../kube/objects.ts";
import { namespaceOf, type ServiceKey } from "../model/service-key.ts";
import {
  annotations,
  formatRecord,
  isSession,
  labels,
  leaseName,
  parseRecord,
  type SessionRecord,
  sessionLabels,
} from "./records.ts";

/** A Lease, as it was last seen. */
export interface SeenLease {
  readonly ref: ObjectRef;
  readonly uid: string;
  /** Differs after each sign of life. */
  readonly resourceVersion: string;
  readonly session: string;
  /** `user@host`: the session's own, or who has claimed it. */
  readonly holder: string;
  /** Empty; or of whoever puts back what the session has left. */
  readonly claim: string;
  /** RFC 3339, by the holder's clock; empty when it says nothing. */
  readonly since: string;
  readonly renewed: string;
  /** What it promised, 10 minutes at most: no more is believed. */
  readonly durationMs: number;
  /** Undefined when it cannot be read. */
  readonly record: SessionRecord | undefined;
}

/** Who puts back what a session has left. */
export interface Claim {
  /** Letters and digits; another one for each who does. */
  readonly id: string;
  /** `user@host`. */
  readonly holder: string;
}

/** What it is worked with. */
export interface LeaseComponents {
  readonly objects: Objects;
  readonly clock: Clock;
}

const defaultDurationMs = 60_000;
/** In ms. Whoever restores waits so long at most for a sign of life, whatever a Lease says (up to 68 years). */
export const maxLeaseMs = 600_000;

/** The Lease of a Service. */
export function leaseRef(key: ServiceKey): ObjectRef {
  return { ...kinds.leases, namespace: namespaceOf(key), name: leaseName(key) };
}

/** The Lease as it is in the cluster now; undefined when there is none, or it is none of localizer's. Throws as the API. */
export async function seeLease(objects: Objects, ref: ObjectRef, signal?: AbortSignal): Promise<SeenLease | undefined> {
  try {
    return parseLease(await objects.get(ref, signal));
  } catch (error) {
    if (codeOf(error) === "not-found") return undefined;
    throw error;
  }
}

/** Reads a Lease from the API's JSON; undefined when it names no session. */
export function parseLease(object: unknown): SeenLease | undefined {
  const { name, namespace, uid, resourceVersion } = headOf(object);
  const [identity = "", session = ""] = splitLast(textAt(object, "spec", "holderIdentity") ?? "", "/");
  if (!isSession(session)) return undefined;
  return {
    ref: { ...kinds.leases, namespace, name },
    uid,
    resourceVersion,
    session,
    ...readIdentity(identity),
    since: textAt(object, "spec", "acquireTime") ?? "",
    renewed: textAt(object, "spec", "renewTime") ?? "",
    durationMs: believed(numberAt(object, "spec", "leaseDurationSeconds")),
    record: readRecord(annotationOf(object, annotations.record), { namespace, name }),
  };
}

/**
 * Makes the Lease for the session.
 * @throws LocalizerError `conflict` when somebody has it, who, since when and with which last sign of life; else as the API
 */
export async function takeLease(
  { objects, clock }: LeaseComponents,
  record: SessionRecord,
  options: { readonly durationMs: number; readonly signal?: AbortSignal; readonly dryRun?: boolean },
): Promise<SeenLease> {
  const { key, session } = record;
  const now = new Date(clock.now());
  const body = {
    metadata: {
      name: leaseName(key),
      labels: sessionLabels(record),
      annotations: { [annotations.record]: formatRecord(record) },
    },
    spec: {
      holderIdentity: `${record.holder}/${session}`,
      leaseDurationSeconds: Math.max(1, Math.round(options.durationMs / 1_000)),
      acquireTime: microTime(now),
      renewTime: microTime(now),
      leaseTransitions: 0,
    },
  };
  const resource = kinds.leases;
  try {
    const made = parseLease(await objects.create(resource, namespaceOf(key), body, options));
    if (made !== undefined) return made;
    throw new LocalizerError("unavailable", `Cannot make the Lease of "${key}": the answer is no Lease`);
  } catch (error) {
    if (codeOf(error) !== "conflict") throw error;
    const holder = await seeLease(objects, leaseRef(key), options.signal);
    // An answer that was lost on its way made us ask twice.
    if (holder?.session === session) return holder;
    throw new LocalizerError("conflict", heldSentence(key, holder, now), { cause: error });
  }
}

/** `"shop/cart" is exposed by alice@laptop since 10:02 (last sign of life 8 s ago)`. */
export function heldSentence(key: ServiceKey, lease: SeenLease | undefined, now: Date): string {
  if (lease === undefined) {
    return `Cannot expose "${key}": a Lease "${leaseName(key)}" that is none of localizer's is in the way`;
  }
  const ageS = Math.round((now.getTime() - Date.parse(lease.renewed)) / 1_000);
  const sign = Number.isFinite(ageS) ? ` (last sign of life ${Math.max(0, ageS)} s ago)` : "";
  const since = lease.since === "" ? "" : ` since ${lease.since.replace(/\.\d+Z$/, "Z")}`;
  const who = lease.holder || "somebody";
  const what = lease.claim === "" ? `is exposed by ${who}${since}` : `is put back by ${who} after an exposure`;
  return `Cannot expose "${key}": it ${what}${sign}`;
}

/**
 * Gives a sign of life, and writes the record if one is given, and the labels if somebody has changed them. Gives the Lease afterwards.
 * @throws LocalizerError `gone` when the Lease is not there or another of its name, `conflict` when another session holds it,
 * `unavailable` when it changes all the time; else as the API
 */
export async function renewLease(
  { objects, clock }: LeaseComponents,
  lease: SeenLease,
  options: { readonly signal?: AbortSignal; readonly record?: SessionRecord } = {},
): Promise<SeenLease> {
  for (let attempt = 0; ; attempt++) {
    const { signal, record } = options;
    // The holder first: after a sleep somebody else may have it, and would be overwritten.
    const now = await current(objects, lease, signal);
    const metadata = {
      uid: now.uid,
      resourceVersion: now.resourceVersion,
      // Whoever looks for sessions goes by them.
      labels: labelsOf(now),
      ...(record === undefined ? {} : { annotations: { [annotations.record]: formatRecord(record) } }),
    };
    try {
      const patch = { metadata, spec: { renewTime: microTime(new Date(clock.now())) } };
      return parseLease(await objects.patch(now.ref, patch, { signal })) ?? now;
    } catch (error) {
      if (codeOf(error) !== "conflict") throw error;
      // Not as a conflict: that would mean that somebody else holds it.
      if (attempt >= 3) throw new LocalizerError("unavailable", LocalizerError.from(error).message, { cause: error });
    }
  }
}

function labelsOf({ session, record }: SeenLease): Readonly<Record<string, string>> {
  if (record !== undefined) return sessionLabels({ session, key: record.key });
  return { [labels.managedBy]: "localizer", [labels.session]: session };
}

async function current(objects: Objects, lease: SeenLease, signal: AbortSignal | undefined): Promise<SeenLease> {
  const now = await seeLease(objects, lease.ref, signal);
  const name = `${lease.ref.namespace}/${lease.ref.name}`;
  if (now === undefined) throw new LocalizerError("gone", `The Lease "${name}" was deleted`);
  if (now.session !== lease.session || now.claim !== lease.claim) {
    throw new LocalizerError("conflict", `The exposure was taken over by ${now.holder || "somebody else"}`);
  }
  return now;
}

/** What a claim of that Lease promises, in ms: a minute at most. */
export function claimMs({ durationMs }: Pick<SeenLease, "durationMs">): number {
  return Math.min(durationMs, defaultDurationMs);
}

/**
 * Writes who puts back into the Lease of a silent session, with a time of its own to give signs of life in. Gives "alive" when the
 * Lease has changed since it was seen, and "gone" when it is not there any more, or another. Throws as the API.
 */
export async function claimLease(
  { objects, clock }: LeaseComponents,
  lease: SeenLease,
  { by, signal }: { readonly by: Claim; readonly signal?: AbortSignal },
): Promise<SeenLease | "alive" | "gone"> {
  const { ref, uid, resourceVersion, session } = lease;
  const spec = {
    holderIdentity: `restore:${by.id}:${by.holder}/${session}`,
    leaseDurationSeconds: Math.max(1, Math.round(claimMs(lease) / 1_000)),
    renewTime: microTime(new Date(clock.now())),
  };
  try {
    return parseLease(await objects.patch(ref, { metadata: { uid, resourceVersion }, spec }, { signal })) ?? "gone";
  } catch (error) {
    if (codeOf(error) === "not-found") return "gone";
    if (codeOf(error) !== "conflict") throw error;
    const now = await seeLease(objects, ref, signal);
    if (now?.uid !== uid) return "gone";
    // An answer that was lost on its way made us ask twice.
    return now.session === session && now.claim === by.id ? now : "alive";
  }
}

/** Deletes this very Lease, and no other of its name. One that is gone is fine. Throws as the API. */
export async function dropLease(
  objects: Objects,
  lease: Pick<SeenLease, "ref" | "uid">,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await objects.delete(lease.ref, { uid: lease.uid, signal });
  } catch (error) {
    if (codeOf(error) === "not-found") return;
    // Another one of that name is somebody else's.
    if (codeOf(error) === "conflict" && (await seeLease(objects, lease.ref, signal))?.uid !== lease.uid) return;
    throw error;
  }
}

/** `user@host`, or `restore:<claim>:user@host`. */
function readIdentity(identity: string): Pick<SeenLease, "holder" | "claim"> {
  const [, claim, holder] = /^restore:([a-z0-9]+):(.*)$/s.exec(identity) ?? [];
  return claim === undefined || holder === undefined ? { holder: identity, claim: "" } : { holder, claim };
}

/** The time that a Lease promises a sign of life in. */
function believed(seconds: number | undefined): number {
  if (seconds === undefined || !(seconds > 0)) return defaultDurationMs;
  return Math.min(seconds * 1_000, maxLeaseMs);
}

/** MicroTime of the API: six digits behind the second. */
function microTime(time: Date): string {
  return time.toISOString().replace(/Z$/, "000Z");
}

function splitLast(text: string, mark: string): readonly string[] {
  const at = text.lastIndexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** What is about another Lease, or reaches into other namespaces, was not written by localizer: who restores may have more rights than who wrote. */
function readRecord(
  text: string | undefined,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): SessionRecord | undefined {
  try {
    if (text === undefined) return undefined;
    const record = parseRecord(text);
    const own = leaseRef(record.key);
    const isOwn = own.namespace === namespace && own.name === name;
    return isOwn && record.owners.every((owner) => owner.namespace === namespace) ? record : undefined;
  } catch {
    // Somebody has edited it: the owners' annotations have to do.
    return undefined;
  }
}
