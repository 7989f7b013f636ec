/**
 * What a session writes down about itself in the cluster, and how it is read again: in its Lease, on the owners that it
 * scaled, and as labels on what it made. Pure. Numbers are taken from an owner's annotation first, then from the Lease, then
 * from the journal; the pod never gives any.
 */
import { createHash } from "node:crypto";
import { LocalizerError } from "../errors.ts";
import { at, listAt, numberAt, textAt } from "../kube/json.ts";
import { annotationOf } from "../kube/objects.ts";
import { nameOf, namespaceOf, type ServiceKey, serviceKey } from "../model/service-key.ts";
import type { OwnerRef, PlannedOwner } from "./plan.ts";

/** Annotations of owners, and (record) of the Lease. */
export const annotations = {
  /** The sessions that want the owner at 0, separated by commas. */
  session: "localizer.dev/session",
  /** What the owner was set to before the first of them, as a number. */
  replicas: "localizer.dev/original-replicas",
  /** `user@host`, for people. */
  holder: "localizer.dev/holder",
  /** The session's record, as JSON. */
  record: "localizer.dev/record",
} as const;

/** Labels of everything that a session makes. */
export const labels = {
  managedBy: "app.kubernetes.io/managed-by",
  session: "localizer.dev/session",
  service: "localizer.dev/service",
  /** Of an owner, for a moment; see settle-owner. */
  settling: "localizer.dev/settling",
} as const;

/** Selects what any session has made. */
export const managedSelector = `${labels.managedBy}=localizer,${labels.session}`;

/** An owner as a session remembers it. */
export interface RecordedOwner extends OwnerRef {
  /** What it was set to before. */
  readonly replicas: number;
  readonly scaleBy: "spec" | "scale";
}

/** A session, as it can be ended by whoever reads this. */
export interface SessionRecord {
  /** A UUID. */
  readonly session: string;
  readonly key: ServiceKey;
  /** `user@host`. */
  readonly holder: string;
  /** RFC 3339. */
  readonly since: string;
  /** `starting`: owners may not be scaled yet; `exposed`: all of them were. */
  readonly phase: "starting" | "exposed";
  readonly owners: readonly RecordedOwner[];
  /** Of localizer. */
  readonly version: string;
}

/** What an owner's annotations say. */
export interface OwnerMark {
  readonly sessions: readonly string[];
  /** Undefined when the annotation is gone or says no number. */
  readonly replicas: number | undefined;
  readonly holder: string;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const maxNameLength = 63;

/** "Object Names and IDs" and CustomResourceDefinition: whoever writes a record may have fewer rights than who acts on it. */
const name = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const ownerForm = {
  group: new RegExp(`^$|${name.source}`),
  version: /^v\d{1,9}((alpha|beta)\d{1,9})?$/,
  plural: /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
  kind: /^[A-Za-z][-A-Za-z0-9]{0,62}$/,
  name,
  uid: /^[A-Za-z0-9][-A-Za-z0-9]{0,63}$/,
} as const;

/** The labels of what the session makes. */
export function sessionLabels({ session, key }: Pick<SessionRecord, "session" | "key">): Record<string, string> {
  return { [labels.managedBy]: "localizer", [labels.session]: session, [labels.service]: shortened(nameOf(key)) };
}

/** Selects what this session has made. */
export function sessionSelector(session: string): string {
  return `${labels.session}=${session}`;
}

/** `localizer-<service>`: one name for all sessions of a Service, so that there is one at a time. */
export function leaseName(key: ServiceKey): string {
  return `localizer-${shortened(nameOf(key), maxNameLength - "localizer-".length)}`;
}

/** The name itself, or where it is longer than that its beginning and a hash. */
export function shortened(name: string, length = maxNameLength): string {
  if (name.length <= length) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return `${name.slice(0, length - 9)}-${hash}`;
}

/** What is recorded of an owner. */
export function recordedOwner(owner: PlannedOwner): RecordedOwner {
  const { group, version, plural, kind, namespace, name, uid, replicas, scaleBy } = owner;
  return { group, version, plural, kind, namespace, name, uid, replicas, scaleBy };
}

/** The record as text. */
export function formatRecord({ key, ...record }: SessionRecord): string {
  return JSON.stringify({ ...record, namespace: namespaceOf(key), service: nameOf(key) });
}

/**
 * Reads what `formatRecord` wrote.
 * @throws LocalizerError `usage` when it is something else
 */
export function parseRecord(text: string): SessionRecord {
  const value = readJson(text);
  const session = textAt(value, "session") ?? "";
  const phase = at(value, "phase");
  if (!isSession(session) || (phase !== "starting" && phase !== "exposed")) throw unreadable();
  const word = (field: string) => textAt(value, field) ?? "";
  const key = serviceKey(word("namespace"), word("service"));
  return {
    session,
    key,
    holder: word("holder"),
    since: word("since"),
    phase,
    owners: listAt(value, "owners").map((owner) => parseOwner(owner, namespaceOf(key))),
    version: word("version"),
  };
}

/** Says whether the text is the name of a session. */
export function isSession(text: string): boolean {
  return uuid.test(text);
}

/** What the owner's annotations say; undefined when no session is named. What is no name of a session is passed over. */
export function markOf(owner: unknown): OwnerMark | undefined {
  const sessions = (annotationOf(owner, annotations.session) ?? "").split(",").filter(isSession);
  if (sessions.length === 0) return undefined;
  const text = annotationOf(owner, annotations.replicas) ?? "";
  return {
    sessions,
    replicas: /^\d{1,9}$/.test(text) ? Number(text) : undefined,
    holder: annotationOf(owner, annotations.holder) ?? "",
  };
}

/** The annotations for a mark, as a merge patch; without sessions all of them go. */
export function markPatch({ sessions, replicas, holder }: OwnerMark): Readonly<Record<string, string | null>> {
  const isOver = sessions.length === 0 || replicas === undefined;
  return {
    [annotations.session]: isOver ? null : sessions.join(","),
    [annotations.replicas]: isOver ? null : String(replicas),
    [annotations.holder]: isOver ? null : holder,
  };
}

/** Owners are of the Service's own namespace. */
function parseOwner(value: unknown, namespace: string): RecordedOwner {
  const word = (field: keyof typeof ownerForm): string => {
    const text = textAt(value, field) ?? "";
    if (!ownerForm[field].test(text)) throw unreadable();
    return text;
  };
  const replicas = numberAt(value, "replicas");
  const scaleBy = at(value, "scaleBy");
  const isKnown = scaleBy === "spec" || scaleBy === "scale";
  const isNumber = replicas !== undefined && Number.isInteger(replicas) && replicas >= 0;
  if (!isKnown || !isNumber || textAt(value, "namespace") !== namespace) throw unreadable();
  const ref = { group: word("group"), version: word("version"), plural: word("plural"), kind: word("kind") };
  return { ...ref, namespace, name: word("name"), uid: word("uid"), replicas, scaleBy };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unreadable(error);
  }
}

function unreadable(cause?: unknown): LocalizerError {
  return new LocalizerError("usage", "Cannot read the record of an exposure: it is not as localizer writes it", {
    cause,
  });
}
