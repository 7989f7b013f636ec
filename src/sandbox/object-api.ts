/**
 * The verbs that change objects, with the checks of the real API server: names, conflicts, preconditions. Promises that a
 * refused call changes nothing. Used by the server for its clients, and by whoever fills the simulated cluster.
 */
import { randomInt, randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../clock.ts";
import type { Admit } from "./admission.ts";
import {
  type ApiObject,
  apiVersionOf,
  type ObjectDraft,
  type ObjectMeta,
  type ResourceDefinition,
} from "./api-object.ts";
import { apiTime, type Deletion, deletionOf, mayGo } from "./deletion.ts";
import { managedFieldsAfter } from "./managed-fields.ts";
import { isObject, mergePatch } from "./merge-patch.ts";
import { checkObject } from "./object-checks.ts";
import { withDefaults } from "./object-defaults.ts";
import type { ObjectStore } from "./object-store.ts";
import { alreadyExists, badRequest, changed, conflict, invalid, notFound, Refusal } from "./status.ts";

/** Where an object is. */
export interface ObjectPlace {
  readonly resource: ResourceDefinition;
  /** Undefined when the kind has no namespaces. */
  readonly namespace: string | undefined;
}

/** How a change is made. */
export interface WriteOptions {
  /** Everything is checked and answered, nothing is done (`dryRun=All`). */
  readonly dryRun?: boolean | undefined;
  /** Who writes; the fields that change are his from then on. Nobody keeps the books when absent. */
  readonly manager?: string | undefined;
  /** Through a subresource; a change of the status is no new generation. */
  readonly subresource?: "scale" | "status" | undefined;
}

/** How something is deleted. */
export interface DeleteOptions extends WriteOptions {
  /** Of a pod on a node; its own when absent. */
  readonly gracePeriodSeconds?: number | undefined;
}

/** What must hold for an object to be deleted. */
export interface Preconditions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

const subdomain = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
/** What the server alone decides: a client may write it, and nothing comes of it. */
const decided = new Set([
  "uid",
  "resourceVersion",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "generation",
  "managedFields",
]);
const admitAll: Admit = () => undefined;

/** Changes the objects of a store. All methods throw a Refusal when the server would refuse. */
export class ObjectApi {
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #admit: Admit;

  constructor(store: ObjectStore, clock: Clock, admit: Admit = admitAll) {
    this.#store = store;
    this.#clock = clock;
    this.#admit = admit;
  }

  get({ resource, namespace }: ObjectPlace, name: string): ApiObject {
    const object = this.#store.get(resource, namespace, name);
    if (object === undefined) throw notFound(resource, name);
    return object;
  }

  create(place: ObjectPlace, draft: ObjectDraft, options: WriteOptions = {}): ApiObject {
    const { resource, namespace } = place;
    checkKind(resource, draft);
    const metadata: ObjectDraft["metadata"] = draft.metadata ?? {};
    if (metadata.namespace !== undefined && metadata.namespace !== namespace) throw wrongNamespace();
    const name = metadata.name ?? generatedName(metadata) ?? "";
    if (name === "") {
      throw invalid(resource, "", "metadata.name", "Required value: name or generateName is required");
    }
    if (!subdomain.test(name)) {
      const why = `Invalid value: "${name}": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character`;
      throw invalid(resource, name, "metadata.name", why);
    }
    if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== "") {
      throw new Refusal(500, "", "resourceVersion should not be set on objects to be created");
    }
    this.#checkNamespace(namespace);
    const made = complete(resource, draft, {
      ...without(metadata, decided),
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid: randomUUID(),
      resourceVersion: "",
      creationTimestamp: apiTime(this.#clock.now()),
      ...(resource.generation === false ? {} : { generation: 1 }),
    });
    const object = this.#admitted(place, withDefaults(resource, made), undefined, options);
    if (this.#store.get(resource, namespace, name) !== undefined) throw alreadyExists(resource, name);
    return options.dryRun ? object : this.#store.put(resource, object);
  }

  update(place: ObjectPlace, name: string, draft: ObjectDraft, options: WriteOptions = {}): ApiObject {
    const { resource, namespace } = place;
    checkKind(resource, draft);
    const wanted = draft.metadata ?? {};
    if (wanted.name !== name) {
      throw badRequest(`the name of the object (${wanted.name ?? ""}) does not match the name on the URL (${name})`);
    }
    if (wanted.namespace !== undefined && wanted.namespace !== namespace) throw wrongNamespace();
    const before = this.get(place, name);
    const { uid, resourceVersion, namespace: own } = before.metadata;
    if (wanted.uid !== undefined && wanted.uid !== uid) {
      const why = `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${uid}`;
      throw conflict(resource, name, why);
    }
    checkVersion(resource, before, draft);
    const kept = Object.fromEntries(Object.entries(before.metadata).filter(([field]) => decided.has(field)));
    const fixed = { name, ...(own === undefined ? {} : { namespace: own }), uid, resourceVersion };
    const made = complete(resource, draft, { ...without(wanted, decided), ...kept, ...fixed });
    const object = this.#admitted(
      place,
      counted(resource, withDefaults(resource, made), before, options),
      before,
      options,
    );
    if (options.dryRun || isDeepStrictEqual(object, before)) return object;
    return mayGo(object) ? this.#store.remove(resource, object) : this.#store.put(resource, object);
  }

  /** A merge patch. Another uid in it is refused: what is meant is not there any more. */
  patch(place: ObjectPlace, name: string, patch: unknown, options: WriteOptions = {}): ApiObject {
    const { resource } = place;
    const before = this.get(place, name);
    const patched = mergePatch(before, patch);
    if (!isObject(patched) || !isObject(patched.metadata)) throw badRequest("the patch leaves no object");
    // Other fields of the metadata are as the client wrote them; nothing here relies on them.
    const draft = patched as ObjectDraft;
    checkVersion(resource, before, draft);
    const { uid } = draft.metadata ?? {};
    if (uid !== undefined && uid !== before.metadata.uid) {
      throw invalid(resource, name, "metadata.uid", `Invalid value: "${uid}": field is immutable`);
    }
    return this.update(place, name, draft, options);
  }

  /**
   * A namespace takes with it what is in it. Gives the last state, or that of an object which goes later: a pod on a node
   * after its grace, one with finalizers when they are gone.
   */
  delete(place: ObjectPlace, name: string, wanted: Preconditions = {}, options: DeleteOptions = {}): Deletion {
    const { resource, namespace } = place;
    const before = this.get(place, name);
    const { uid, resourceVersion } = before.metadata;
    if (wanted.uid !== undefined && wanted.uid !== uid) {
      const why = `the UID in the precondition (${wanted.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`;
      throw conflict(resource, name, why);
    }
    if (wanted.resourceVersion !== undefined && wanted.resourceVersion !== resourceVersion) {
      const why = `the ResourceVersion in the precondition (${wanted.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`;
      throw conflict(resource, name, why);
    }
    const { dryRun = false, manager, gracePeriodSeconds } = options;
    this.#admit(
      { operation: "DELETE", resource, subresource: undefined, namespace, name, dryRun, manager, before },
      before,
    );
    const deletion = deletionOf(resource, before, gracePeriodSeconds, this.#clock.now());
    if (dryRun || deletion.object === before) return deletion;
    if (!deletion.gone) return { gone: false, object: this.#store.put(resource, deletion.object) };
    if (resource.group === "" && resource.plural === "namespaces") {
      for (const inside of this.#store.inNamespace(name)) this.#store.remove(inside.resource, inside.object);
    }
    return { gone: true, object: this.#store.remove(resource, deletion.object) };
  }

  /** The object after admission and all checks, with who wrote what. */
  #admitted(
    { resource, namespace }: ObjectPlace,
    object: ApiObject,
    before: ApiObject | undefined,
    { dryRun = false, manager, subresource }: WriteOptions,
  ): ApiObject {
    const { name } = object.metadata;
    const operation = before === undefined ? "CREATE" : "UPDATE";
    const call = { operation, resource, subresource, namespace, name, dryRun, manager, before } as const;
    const admitted = this.#admit(call, object) ?? object;
    checkObject(resource, admitted);
    if (manager === undefined) return admitted;
    const time = apiTime(this.#clock.now());
    const managedFields = managedFieldsAfter(before, admitted, { resource, manager, time, subresource });
    if (managedFields.length === 0) return admitted;
    return { ...admitted, metadata: { ...admitted.metadata, managedFields } };
  }

  #checkNamespace(namespace: string | undefined): void {
    if (namespace === undefined) return;
    const namespaces = { group: "", version: "v1", plural: "namespaces", kind: "Namespace", namespaced: false };
    if (this.#store.get(namespaces, undefined, namespace) === undefined) throw notFound(namespaces, namespace);
  }
}

function checkKind(resource: ResourceDefinition, { kind }: ObjectDraft): void {
  if (kind === undefined || kind === resource.kind) return;
  throw badRequest(`${String(kind)} in version "${resource.version}" cannot be handled as a ${resource.kind}`);
}

function complete(resource: ResourceDefinition, draft: ObjectDraft, metadata: ObjectMeta): ApiObject {
  return { ...draft, kind: resource.kind, apiVersion: apiVersionOf(resource), metadata };
}

function wrongNamespace(): Refusal {
  return badRequest("the namespace of the provided object does not match the namespace sent on the request");
}

function generatedName({ generateName }: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof generateName !== "string" || generateName === "") return undefined;
  const letters = "bcdfghjklmnpqrstvwxz2456789";
  return generateName.slice(0, 58) + Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join("");
}

function checkVersion(resource: ResourceDefinition, { metadata }: ApiObject, draft: ObjectDraft): void {
  const wanted = draft.metadata?.resourceVersion ?? "";
  if (wanted !== "" && wanted !== metadata.resourceVersion) throw conflict(resource, metadata.name, changed);
}

/** A new generation when more has changed than metadata and status; of a Deployment annotations count, too. */
function counted(
  resource: ResourceDefinition,
  object: ApiObject,
  before: ApiObject,
  { subresource }: WriteOptions,
): ApiObject {
  const { generation } = before.metadata;
  if (resource.generation === false || subresource === "status" || typeof generation !== "number") return object;
  const main = ({ metadata, ...rest }: ApiObject) => ({
    ...without(rest, new Set(["status"])),
    ...(resource.kind === "Deployment" ? { annotations: metadata.annotations } : {}),
  });
  if (isDeepStrictEqual(main(object), main(before))) return object;
  return { ...object, metadata: { ...object.metadata, generation: generation + 1 } };
}

function without(
  fields: Readonly<Record<string, unknown>>,
  left: ReadonlySet<string>,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => !left.has(field)));
}
