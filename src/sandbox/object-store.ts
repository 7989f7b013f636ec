/**
 * What the simulated cluster holds: objects under one count of versions, as etcd counts, and the latest changes, from
 * which watches are served. Checks nothing: that is the API's work.
 */
import type { ApiObject, ResourceDefinition } from "./api-object.ts";

/** One step of the store. */
export interface Change {
  readonly resource: ResourceDefinition;
  /** The count after it. */
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** Of a deleted one: its last state, with the version of its end. */
  readonly object: ApiObject;
  readonly previous: ApiObject | undefined;
}

interface Table {
  readonly resource: ResourceDefinition;
  readonly objects: Map<string, ApiObject>;
}

/** Settings of a store. */
export interface ObjectStoreOptions {
  /** How many changes it remembers. */
  readonly historySize: number;
}

/** Objects of all kinds. Subscribers are called after each change and must not throw. */
export class ObjectStore {
  readonly #historySize: number;
  readonly #tables = new Map<string, Table>();
  readonly #subscribers = new Set<(change: Change) => void>();
  #history: Change[] = [];
  #version = 1;
  #oldest = 1;

  constructor({ historySize }: ObjectStoreOptions) {
    this.#historySize = historySize;
  }

  /** The version of the last change. */
  get version(): number {
    return this.#version;
  }

  /** The oldest version from which changes are still known. */
  get oldest(): number {
    return this.#oldest;
  }

  /** The objects of a kind, by namespace and name; of one namespace only if that is given. */
  list(resource: ResourceDefinition, namespace?: string): readonly ApiObject[] {
    const all = [...(this.#tables.get(idOf(resource))?.objects.values() ?? [])];
    const wanted = namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace);
    return wanted.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  /** The objects of all kinds in a namespace. */
  inNamespace(namespace: string): readonly Pick<Change, "resource" | "object">[] {
    return [...this.#tables.values()].flatMap(({ resource }) =>
      this.list(resource, namespace).map((object) => ({ resource, object })),
    );
  }

  /** The namespace of a kind without namespaces is undefined. */
  get(resource: ResourceDefinition, namespace: string | undefined, name: string): ApiObject | undefined {
    return this.#tables.get(idOf(resource))?.objects.get(`${namespace ?? ""}/${name}`);
  }

  /** Writes an object under the next version, which is put into it. */
  put(resource: ResourceDefinition, object: ApiObject): ApiObject {
    const table: Table = this.#tables.get(idOf(resource)) ?? { resource, objects: new Map() };
    this.#tables.set(idOf(resource), table);
    const { objects } = table;
    const previous = objects.get(keyOf(object));
    this.#version++;
    const stamped = atVersion(object, this.#version);
    objects.set(keyOf(stamped), stamped);
    this.#changed({ resource, object: stamped, previous, type: previous === undefined ? "ADDED" : "MODIFIED" });
    return stamped;
  }

  /** Takes an object out. Must be there. */
  remove(resource: ResourceDefinition, object: ApiObject): ApiObject {
    this.#tables.get(idOf(resource))?.objects.delete(keyOf(object));
    this.#version++;
    const stamped = atVersion(object, this.#version);
    this.#changed({ resource, object: stamped, previous: object, type: "DELETED" });
    return stamped;
  }

  /** The changes after a version, in their order; undefined when not all of them are known any more. */
  changesAfter(version: number): readonly Change[] | undefined {
    return version < this.#oldest ? undefined : this.#history.filter((change) => change.version > version);
  }

  /** Forgets how it came to be what it is, as etcd does every five minutes. Moves on by one version. */
  compact(): void {
    this.#version++;
    this.#oldest = this.#version;
    this.#history = [];
  }

  /** Tells the listener about every change from now on. Disposing ends it. */
  subscribe(listener: (change: Change) => void): Disposable {
    this.#subscribers.add(listener);
    return { [Symbol.dispose]: () => this.#subscribers.delete(listener) };
  }

  #changed(step: Omit<Change, "version">): void {
    const change = { ...step, version: this.#version };
    this.#history.push(change);
    const [forgotten] = this.#history.length > this.#historySize ? this.#history.splice(0, 1) : [];
    if (forgotten !== undefined) this.#oldest = forgotten.version;
    for (const listener of [...this.#subscribers]) listener(change);
  }
}

/** The object, said to be of a version. */
export function atVersion(object: ApiObject, version: number): ApiObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
}

function idOf({ group, plural }: ResourceDefinition): string {
  return `${group}/${plural}`;
}

function keyOf({ metadata }: ApiObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}
