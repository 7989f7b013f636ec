/**
 * The verbs that change objects, with the checks of the real API server: names, conflicts, preconditions. Promises that a
 * refused call changes nothing. Used by the server for its clients, and by whoever fills the simulated cluster.
 */
import { randomInt, randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../clock.ts";
import {
  type ApiObject,
  apiVersionOf,
  type ObjectDraft,
  type ObjectMeta,
  type ResourceDefinition,
} from "./api-object.ts";
import { isObject, mergePatch } from "./merge-patch.ts";
import type { ObjectStore } from "./object-store.ts";
import { alreadyExists, badRequest, conflict, invalid, notFound, Refusal } from "./status.ts";

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
}

/** What must hold for an object to be deleted. */
export interface Preconditions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

const subdomain = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const changed = "the object has been modified; please apply your changes to the latest version and try again";

/** Changes the objects of a store. All methods throw a Refusal when the server would refuse. */
export class ObjectApi {
  readonly #store: ObjectStore;
  readonly #clock: Clock;

  constructor(store: ObjectStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  get({ resource, namespace }: ObjectPlace, name: string): ApiObject {
    const object = this.#store.get(resource, namespace, name);
    if (object === undefined) throw notFound(resource, name);
    return object;
  }

  create(place: ObjectPlace, draft: ObjectDraft, { dryRun }: WriteOptions = {}): ApiObject {
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
    if (this.#store.get(resource, namespace, name) !== undefined) throw alreadyExists(resource, name);
    const object = complete(resource, draft, {
      ...metadata,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid: randomUUID(),
      resourceVersion: "",
      creationTimestamp: secondsOf(this.#clock.now()),
    });
    return dryRun ? object : this.#store.put(resource, object);
  }

  update(place: ObjectPlace, name: string, draft: ObjectDraft, { dryRun }: WriteOptions = {}): ApiObject {
    const { resource, namespace } = place;
    checkKind(resource, draft);
    const wanted = draft.metadata ?? {};
    if (wanted.name !== name) {
      throw badRequest(`the name of the object (${wanted.name ?? ""}) does not match the name on the URL (${name})`);
    }
    if (wanted.namespace !== undefined && wanted.namespace !== namespace) throw wrongNamespace();
    const before = this.get(place, name);
    const { uid, resourceVersion } = before.metadata;
    if (wanted.uid !== undefined && wanted.uid !== uid) {
      const why = `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${uid}`;
      throw conflict(resource, name, why);
    }
    if (wanted.resourceVersion !== undefined && wanted.resourceVersion !== "") {
      if (wanted.resourceVersion !== resourceVersion) throw conflict(resource, name, changed);
    }
    // What the server alone decides stays as it is.
    const { creationTimestamp, namespace: own } = before.metadata;
    const fixed = { name, ...(own === undefined ? {} : { namespace: own }), uid, resourceVersion, creationTimestamp };
    const object = complete(resource, draft, { ...wanted, ...fixed });
    return dryRun || isDeepStrictEqual(object, before) ? object : this.#store.put(resource, object);
  }

  /** A merge patch. */
  patch(place: ObjectPlace, name: string, patch: unknown, options: WriteOptions = {}): ApiObject {
    const before = this.get(place, name);
    const patched = mergePatch(before, patch);
    if (!isObject(patched) || !isObject(patched.metadata)) throw badRequest("the patch leaves no object");
    // Other fields of the metadata are as the client wrote them; nothing here relies on them.
    return this.update(place, name, patched as ObjectDraft, options);
  }

  /** A namespace takes with it what is in it. */
  delete(place: ObjectPlace, name: string, wanted: Preconditions = {}, { dryRun }: WriteOptions = {}): ApiObject {
    const { resource } = place;
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
    if (dryRun) return before;
    if (resource.group === "" && resource.plural === "namespaces") {
      for (const inside of this.#store.inNamespace(name)) this.#store.remove(inside.resource, inside.object);
    }
    return this.#store.remove(resource, before);
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
  return generateName + Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join("");
}

function secondsOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
