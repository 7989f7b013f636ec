/**
 * An owner of pods with its number and the marks of sessions: how both are read and written together. Promises that a write
 * comes through only if nobody wrote in between.
 */
import { codeOf } from "../errors.ts";
import { numberAt } from "../kube/json.ts";
import { headOf, type Objects } from "../kube/objects.ts";
import type { OwnerRef } from "./plan.ts";
import { markOf, markPatch, type OwnerMark, type RecordedOwner } from "./records.ts";

/** Which one, and how it is scaled. */
export type ScaledOwner = OwnerRef & Pick<RecordedOwner, "scaleBy">;

/** An owner as it is now. */
export interface SeenOwner {
  readonly resourceVersion: string;
  readonly replicas: number;
  readonly mark: OwnerMark | undefined;
  /** As the API gave it. */
  readonly object: unknown;
}

/** What is to be written; without `replicas` the number stays. */
export interface WantedOwner {
  readonly mark: OwnerMark;
  readonly replicas?: number;
}

/** How it is written. */
export interface WriteOptions {
  readonly signal?: AbortSignal;
  readonly dryRun?: boolean;
}

/** The owner now; undefined when it does not exist, or is not the one that was meant. Throws as the API. */
export async function seeOwner(
  objects: Objects,
  owner: ScaledOwner,
  signal: AbortSignal | undefined,
): Promise<SeenOwner | undefined> {
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
  owner: ScaledOwner,
  object: unknown,
  signal: AbortSignal | undefined,
): Promise<number> {
  // The API's default of all built-in kinds is one.
  if (owner.scaleBy === "spec") return numberAt(object, "spec", "replicas") ?? 1;
  return numberAt(await objects.getScale(owner, signal), "spec", "replicas") ?? 0;
}

/** @throws LocalizerError `conflict` when it has changed since it was seen; else as the API */
export async function writeOwner(
  objects: Objects,
  owner: ScaledOwner,
  { resourceVersion }: SeenOwner,
  { mark, replicas }: WantedOwner,
  options: WriteOptions,
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
  options: WriteOptions,
): Promise<string> {
  const metadata = { namespace, name, uid: resource.uid, resourceVersion };
  const body = { kind: "Scale", apiVersion: "autoscaling/v1", metadata, spec: { replicas } };
  return headOf(await objects.replace({ ...resource, namespace, name }, body, { ...options, subresource: "scale" }))
    .resourceVersion;
}
