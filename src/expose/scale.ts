/**
 * Sets an owner of pods to 0 replicas and back, so that whoever comes later knows what it was: number and sessions go into
 * its annotations in the same patch, guarded by its version and uid (verified.md 3.5). Each way may be gone twice.
 */
import { type BackoffOptions, backoffMs } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import { at, listAt, numberAt, textAt } from "../kube/json.ts";
import { headOf, type Objects } from "../kube/objects.ts";
import type { OwnerRef } from "./plan.ts";
import { markOf, markPatch, type OwnerMark, type RecordedOwner } from "./records.ts";

/** What scaling works with. */
export interface ScaleComponents {
  readonly objects: Objects;
  readonly clock: Clock;
  /** In [0, 1); Math.random unless given. */
  readonly random?: () => number;
}

/** On whose behalf. */
export interface ScaleHolder {
  readonly session: string;
  /** `user@host`. */
  readonly holder: string;
  /** Sessions of this process, which may share an owner. */
  readonly mates?: readonly string[];
}

/** What came of going back. */
export type ScaledBack =
  /** It is set to this number again. */
  | { readonly kind: "restored"; readonly replicas: number }
  /** Somebody has set it to another number meanwhile, which stays. */
  | { readonly kind: "left"; readonly replicas: number }
  /** Another session still wants it at 0. */
  | { readonly kind: "shared" }
  /** It does not exist any more, or is another one of that name. */
  | { readonly kind: "gone" }
  /** It says nothing of this session. */
  | { readonly kind: "untouched" };

/** Status updates bump the version all the time: one patch in seven meets one. */
const conflictTries = 8;
const conflictBackoff: BackoffOptions = { baseMs: 50, factor: 2, capMs: 1_000 };

/**
 * Records what the owner is set to and sets it to 0. Gives what it was set to before any session.
 * @throws LocalizerError `conflict` when it belongs to somebody else's session, was replaced by another of that name, or
 * changes all the time; else as the API says no
 */
export async function scaleDown(
  components: ScaleComponents,
  owner: RecordedOwner,
  by: ScaleHolder,
  options: { readonly signal?: AbortSignal; readonly dryRun?: boolean } = {},
): Promise<number> {
  const action = `Cannot scale ${describeOwner(owner)} to 0`;
  return await untilUnchanged(components, action, options.signal, async () => {
    const now = await look(components, owner, options.signal);
    if (now === undefined) {
      throw new LocalizerError("conflict", `${action}: it was deleted, or made anew, in the meantime`);
    }
    const stranger = now.mark?.sessions.find((name) => name !== by.session && by.mates?.includes(name) !== true);
    if (now.mark !== undefined && stranger !== undefined) {
      throw new LocalizerError(
        "conflict",
        `${action}: it is held by a session of ${now.mark.holder || "somebody else"}`,
      );
    }
    const sessions = [...new Set([...(now.mark?.sessions ?? []), by.session])];
    const replicas = now.mark?.replicas ?? now.replicas;
    await write(components, owner, now, { mark: { sessions, replicas, holder: by.holder }, replicas: 0 }, options);
    return replicas;
  });
}

/**
 * Takes the session off the owner; the last one off sets it to what it was. One that somebody has set to another number
 * keeps that. `fallback` is what the Lease or the journal says it was, for an owner at 0 that lost its annotations.
 * @throws LocalizerError as the API says no
 */
export async function scaleBack(
  components: ScaleComponents,
  owner: OwnerRef & Pick<RecordedOwner, "scaleBy">,
  session: string,
  options: { readonly signal?: AbortSignal; readonly fallback?: number } = {},
): Promise<ScaledBack> {
  const action = `Cannot scale ${describeOwner(owner)} back`;
  return await untilUnchanged(components, action, options.signal, async (): Promise<ScaledBack> => {
    const now = await look(components, owner, options.signal);
    if (now === undefined) return { kind: "gone" };
    const { mark } = now;
    const { fallback = 0 } = options;
    if (mark === undefined && (now.replicas > 0 || fallback === 0)) return { kind: "untouched" };
    if (mark !== undefined && !mark.sessions.includes(session)) return { kind: "untouched" };
    const others = mark?.sessions.filter((name) => name !== session) ?? [];
    if (mark !== undefined && others.length > 0) {
      await write(components, owner, now, { mark: { ...mark, sessions: others } }, options);
      return { kind: "shared" };
    }
    const noMark = { sessions: [], replicas: undefined, holder: "" };
    if (now.replicas > 0) {
      await write(components, owner, now, { mark: noMark }, options);
      return { kind: "left", replicas: now.replicas };
    }
    const replicas = mark?.replicas ?? fallback;
    await write(components, owner, now, { mark: noMark, replicas }, options);
    return { kind: "restored", replicas };
  });
}

/** An owner, seen while a session holds it. */
export interface HeldOwner {
  readonly replicas: number;
  /** Whether its annotations still name the session. */
  readonly isMarked: boolean;
  /** Who has written the number last, as the API server keeps it; empty when nobody is named. */
  readonly writer: string;
}

/** How the owner is now; undefined when it is gone, or another one of that name. Throws as the API. */
export async function heldOwner(
  { objects }: Pick<ScaleComponents, "objects">,
  owner: RecordedOwner,
  session: string,
  signal: AbortSignal,
): Promise<HeldOwner | undefined> {
  const now = await look({ objects }, owner, signal);
  if (now === undefined) return undefined;
  return {
    replicas: now.replicas,
    isMarked: now.mark?.sessions.includes(session) === true,
    writer: lastScaler(now.object),
  };
}

/** The manager that owns `spec.replicas` (managedFields, server-side apply); the newest of several. */
function lastScaler(object: unknown): string {
  const owning = listAt(object, "metadata", "managedFields").filter(
    (entry) => at(entry, "fieldsV1", "f:spec", "f:replicas") !== undefined,
  );
  const newest = owning.sort((a, b) => (textAt(b, "time") ?? "").localeCompare(textAt(a, "time") ?? ""))[0];
  return textAt(newest, "manager") ?? "";
}

/** `Deployment "shop/cart"`. */
export function describeOwner({ kind, namespace, name }: Pick<OwnerRef, "kind" | "namespace" | "name">): string {
  return `${kind} "${namespace}/${name}"`;
}

/** An owner as it is now. */
interface Seen {
  readonly resourceVersion: string;
  readonly replicas: number;
  readonly mark: OwnerMark | undefined;
  /** As the API gave it. */
  readonly object: unknown;
}

/** Undefined when it does not exist, or is not the one that was meant. */
async function look(
  { objects }: Pick<ScaleComponents, "objects">,
  owner: OwnerRef & Pick<RecordedOwner, "scaleBy">,
  signal: AbortSignal | undefined,
): Promise<Seen | undefined> {
  try {
    const object = await objects.get(owner, signal);
    const { uid, resourceVersion } = headOf(object);
    if (uid !== owner.uid) return undefined;
    return {
      resourceVersion,
      replicas: await replicasOf(objects, owner, object, signal),
      mark: markOf(object),
      object,
    };
  } catch (error) {
    if (codeOf(error) === "not-found") return undefined;
    throw error;
  }
}

async function replicasOf(
  objects: Objects,
  owner: OwnerRef & Pick<RecordedOwner, "scaleBy">,
  object: unknown,
  signal: AbortSignal | undefined,
): Promise<number> {
  // The API's default of all built-in kinds is one.
  if (owner.scaleBy === "spec") return numberAt(object, "spec", "replicas") ?? 1;
  return numberAt(await objects.getScale(owner, signal), "spec", "replicas") ?? 0;
}

/** What is to be written; without `replicas` the number stays. */
interface Wanted {
  readonly mark: OwnerMark;
  readonly replicas?: number;
}

async function write(
  { objects }: ScaleComponents,
  owner: OwnerRef & Pick<RecordedOwner, "scaleBy">,
  { resourceVersion }: Seen,
  { mark, replicas }: Wanted,
  options: { readonly signal?: AbortSignal; readonly dryRun?: boolean },
): Promise<void> {
  const metadata = { uid: owner.uid, resourceVersion, annotations: markPatch(mark) };
  if (owner.scaleBy === "spec") {
    await objects.patch(owner, { metadata, ...(replicas === undefined ? {} : { spec: { replicas } }) }, options);
    return;
  }
  // Two writes: the note comes before what it is about, and goes after it.
  const isDown = mark.sessions.length > 0;
  if (isDown) {
    const marked = headOf(await objects.patch(owner, { metadata }, options));
    // A dry run has changed nothing, so the version is still the old one.
    const version = options.dryRun === true ? resourceVersion : marked.resourceVersion;
    if (replicas !== undefined) await putScale(objects, owner, version, replicas, options);
    return;
  }
  const version =
    replicas === undefined ? resourceVersion : await putScale(objects, owner, resourceVersion, replicas, options);
  await objects.patch(owner, { metadata: { ...metadata, resourceVersion: version } }, options);
}

/** Gives the version afterwards. */
async function putScale(
  objects: Objects,
  { namespace, name, ...resource }: OwnerRef,
  resourceVersion: string,
  replicas: number,
  options: { readonly signal?: AbortSignal; readonly dryRun?: boolean },
): Promise<string> {
  const metadata = { namespace, name, uid: resource.uid, resourceVersion };
  const body = { kind: "Scale", apiVersion: "autoscaling/v1", metadata, spec: { replicas } };
  return headOf(await objects.replace({ ...resource, namespace, name }, body, { ...options, subresource: "scale" }))
    .resourceVersion;
}

/** Runs it again when somebody else wrote in between. */
async function untilUnchanged<T>(
  { clock, random = Math.random }: ScaleComponents,
  action: string,
  signal: AbortSignal | undefined,
  run: () => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      // Of the API, not one of our own: those say what is the matter.
      const isRace = codeOf(error) === "conflict" && error instanceof LocalizerError && error.cause !== undefined;
      if (!isRace) throw LocalizerError.from(error);
      if (attempt + 1 >= conflictTries) throw LocalizerError.wrap(error, action);
      await clock.sleep(backoffMs(attempt, conflictBackoff, random), signal);
    }
  }
}
