/**
 * From pods, or from whatever owns them, upwards to what can be scaled: by the controller among the ownerReferences, while the next
 * owner serves /scale. Promises each owner once, and to name what it could not go beyond. Used by expose.
 */
import { codeOf } from "../errors.ts";
import type { Right } from "./access-review.ts";
import { type Discovery, type ServedKind, splitApiVersion } from "./discovery.ts";
import { flagAt, listAt, textAt } from "./json.ts";
import { headOf, type Objects } from "./objects.ts";
import { type NamedObject, readScalableOwner, type ScalableOwner } from "./scalable-owner.ts";

/** An owner and those of the given objects that led to it. */
export interface OwnerOf extends ScalableOwner {
  /** As they were given. */
  readonly below: readonly unknown[];
}

/** What stands above some objects of one namespace. */
export interface Ownership {
  /** The last ones on the way up that can be scaled, in the order in which they were met. */
  readonly owners: readonly OwnerOf[];
  /** Pods without a controller, as they were given. */
  readonly bare: readonly unknown[];
  /** Controllers of pods that cannot be scaled: DaemonSets, Jobs. */
  readonly unscalable: readonly NamedObject[];
  /** Controllers of pods that do not exist any more; most such pods will follow them. */
  readonly gone: readonly NamedObject[];
  /** Rights that were missing on the way, each once; what lies beyond is unknown. */
  readonly denied: readonly Right[];
}

/** An object that is known already, and where to begin to climb. */
export interface ClimbStart {
  readonly object: unknown;
  /** Absent for a pod. */
  readonly kind?: ServedKind;
}

/** What is asked. */
export interface OwnerComponents {
  readonly objects: Pick<Objects, "get" | "getScale">;
  readonly discovery: Pick<Discovery, "find">;
}

/** One ownerReference (meta/v1). */
interface OwnerReference extends NamedObject {
  readonly apiVersion: string;
  readonly uid: string;
}

interface Scaled {
  readonly object: unknown;
  readonly kind: ServedKind;
}

/** How far a climb came. */
interface Climb {
  readonly top: Scaled | undefined;
  /** The next owner, which cannot be scaled. */
  readonly end?: OwnerReference;
  /** The next owner, which does not exist. */
  readonly gone?: OwnerReference;
  readonly denied?: Right;
}

/** Nobody stacks more; a loop of references must end, too. */
const maxSteps = 8;

/**
 * Climbs from each of the objects, all of one namespace.
 * @throws LocalizerError as Discovery.find and Objects.get, but for rights
 */
export async function findOwners(
  components: OwnerComponents,
  starts: readonly ClimbStart[],
  signal?: AbortSignal,
): Promise<Ownership> {
  const owners = new Map<string, { readonly owner: ScalableOwner; readonly below: unknown[] }>();
  const [unscalable, gone] = [new Map<string, NamedObject>(), new Map<string, NamedObject>()];
  const [bare, denied] = [[] as unknown[], new Map<string, Right>()];
  const get = rememberedGet(components.objects, signal);
  for (const { object, kind } of starts) {
    const climb = await climbFrom(components, get, { object, kind }, signal);
    if (climb.denied !== undefined) denied.set(JSON.stringify(climb.denied), climb.denied);
    const { top, end } = climb;
    if (top === undefined) {
      if (end !== undefined) unscalable.set(end.uid, { kind: end.kind, name: end.name });
      else if (climb.gone !== undefined) gone.set(climb.gone.uid, { kind: climb.gone.kind, name: climb.gone.name });
      else if (kind === undefined && controllerOf(object) === undefined) bare.push(object);
      continue;
    }
    const { uid } = headOf(top.object);
    const known = owners.get(uid);
    if (known !== undefined) {
      known.below.push(object);
      continue;
    }
    const read = await readOrDenied(components, top, signal);
    if ("verb" in read) denied.set(JSON.stringify(read), read);
    else owners.set(uid, { owner: { ...read, managedBy: manager(top.object, end) }, below: [object] });
  }
  return {
    owners: [...owners.values()].map(({ owner, below }) => ({ ...owner, below })),
    bare,
    unscalable: [...unscalable.values()],
    gone: [...gone.values()],
    denied: [...denied.values()],
  };
}

async function climbFrom(
  { discovery }: OwnerComponents,
  get: (kind: ServedKind, reference: OwnerReference, namespace: string) => Promise<unknown>,
  { object, kind }: { readonly object: unknown; readonly kind: ServedKind | undefined },
  signal: AbortSignal | undefined,
): Promise<Climb> {
  const { namespace } = headOf(object);
  let top = kind === undefined ? undefined : { object, kind };
  let reference = controllerOf(object);
  for (let step = 0; reference !== undefined && step < maxSteps; step++) {
    const { apiVersion, kind: name } = reference;
    const next = await discovery.find({ ...splitApiVersion(apiVersion), kind: name }, signal);
    // What has no namespace is shared by all of them: not ours to scale.
    if (next === undefined || !next.scalable || !next.namespaced) return { top, end: reference };
    try {
      const owner = await get(next, reference, namespace);
      if (owner === undefined) return { top, gone: reference };
      top = { object: owner, kind: next };
      reference = controllerOf(owner);
    } catch (error) {
      if (codeOf(error) !== "denied") throw error;
      return { top: undefined, denied: rightToGet(next, namespace) };
    }
  }
  return { top };
}

/** Gets each object once. Undefined when it is gone, or another one has its name now. */
function rememberedGet(objects: Pick<Objects, "get">, signal: AbortSignal | undefined) {
  const known = new Map<string, unknown>();
  return async (kind: ServedKind, { name, uid }: OwnerReference, namespace: string): Promise<unknown> => {
    if (known.has(uid)) return known.get(uid);
    const found = await getOrNothing(objects, { ...kind, namespace, name }, signal);
    const owner = headOf(found).uid === uid ? found : undefined;
    known.set(uid, owner);
    return owner;
  };
}

async function getOrNothing(
  objects: Pick<Objects, "get">,
  ref: Parameters<Objects["get"]>[0],
  signal: AbortSignal | undefined,
): Promise<unknown> {
  try {
    return await objects.get(ref, signal);
  } catch (error) {
    if (codeOf(error) === "not-found") return undefined;
    throw error;
  }
}

/** The owner, or the right that is missing to read how far it is scaled. */
async function readOrDenied({ objects }: OwnerComponents, { object, kind }: Scaled, signal: AbortSignal | undefined) {
  try {
    return await readScalableOwner(objects, kind, object, signal);
  } catch (error) {
    if (codeOf(error) !== "denied") throw error;
    return { ...rightToGet(kind, headOf(object).namespace), subresource: "scale" };
  }
}

function rightToGet({ group, plural }: ServedKind, namespace: string): Right {
  return { verb: "get", group, resource: plural, namespace };
}

/** Some operators do not call themselves the controller of what they own. */
function manager(object: unknown, end: OwnerReference | undefined): NamedObject | undefined {
  const found = end ?? referencesOf(object)[0];
  return found === undefined ? undefined : { kind: found.kind, name: found.name };
}

function controllerOf(object: unknown): OwnerReference | undefined {
  return referencesOf(object, true)[0];
}

function referencesOf(object: unknown, onlyController = false): readonly OwnerReference[] {
  return listAt(object, "metadata", "ownerReferences").flatMap((reference) => {
    if (onlyController && flagAt(reference, "controller") !== true) return [];
    const text = (field: string) => textAt(reference, field) ?? "";
    return [{ apiVersion: text("apiVersion"), kind: text("kind"), name: text("name"), uid: text("uid") }];
  });
}
