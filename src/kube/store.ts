/** The last known state of some objects of the cluster, and word of what changes in it. After client-go's cache.Store. */
import { isDeepStrictEqual } from "node:util";

/** What every object of the API has. */
export interface StoredObject {
  readonly namespace: string;
  readonly name: string;
  /** Differs between an object and a later one of the same name. */
  readonly uid: string;
}

/** One step from an old state to a new one. An object replaced by another of its name is `removed`, then `added`. */
export type StoreChange<T> =
  | { readonly kind: "added"; readonly key: string; readonly object: T }
  | { readonly kind: "changed"; readonly key: string; readonly object: T; readonly previous: T }
  | { readonly kind: "removed"; readonly key: string; readonly previous: T };

/** Reading a store. */
export interface Lister<T> {
  /** The object with the key "namespace/name". */
  get(key: string): T | undefined;
  /** All objects, in no promised order. */
  list(): readonly T[];
  /** The objects for which the store's index function gives this value. */
  byIndex(value: string): readonly T[];
}

/** Settings of a store. */
export interface StoreOptions<T> {
  /** Gives the value under which `byIndex` finds the object. Must be pure. */
  readonly indexBy?: (object: T) => string;
}

/** The key of an object: "namespace/name". Of a Service it is its ServiceKey. */
export function storeKey(object: Pick<StoredObject, "namespace" | "name">): string {
  return `${object.namespace}/${object.name}`;
}

/**
 * Objects by key, with one index. Objects are values: one that equals the stored one changes nothing and is not
 * reported. Subscribers are called after the store has changed, once for each `replace` or `apply` that did change it;
 * they must not throw.
 */
export class Store<T extends StoredObject> implements Lister<T> {
  readonly #indexBy: (object: T) => string;
  readonly #objects = new Map<string, T>();
  /** One alone, or several by key: most Services have one slice, and a map takes 230 bytes. */
  readonly #index = new Map<string, T | Map<string, T>>();
  readonly #subscribers = new Set<(changes: readonly StoreChange<T>[]) => void>();

  constructor(options: StoreOptions<T> = {}) {
    this.#indexBy = options.indexBy ?? (() => "");
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  byIndex(value: string): readonly T[] {
    const found = this.#index.get(value);
    if (found === undefined) return [];
    return found instanceof Map ? [...found.values()] : [found];
  }

  /** Takes a complete list in place of what is there; of one namespace only if that is given. */
  replace(objects: readonly T[], namespace?: string): void {
    // By identity first: what a list brings is mostly what is here, and 5,000 keys take their time.
    const news = new Set(objects);
    const gone = [...this.#objects].filter(([, previous]) => !news.delete(previous));
    const next = new Map([...news].map((object) => [storeKey(object), object]));
    const changes: StoreChange<T>[] = [];
    for (const [key, previous] of gone) {
      if (next.has(key) || (namespace !== undefined && previous.namespace !== namespace)) continue;
      changes.push(this.#remove(key, previous));
    }
    for (const object of next.values()) changes.push(...this.#put(object));
    this.#report(changes);
  }

  /** Takes an object that was added or has changed. */
  put(object: T): void {
    this.#report(this.#put(object));
  }

  /** Takes the end of an object. The end of an earlier object of the same name changes nothing. */
  delete(object: StoredObject): void {
    const key = storeKey(object);
    const previous = this.#objects.get(key);
    if (previous?.uid === object.uid) this.#report([this.#remove(key, previous)]);
  }

  /** Tells the listener about every change from now on. Disposing ends it. */
  subscribe(listener: (changes: readonly StoreChange<T>[]) => void): Disposable {
    this.#subscribers.add(listener);
    return { [Symbol.dispose]: () => this.#subscribers.delete(listener) };
  }

  #put(object: T): StoreChange<T>[] {
    const key = storeKey(object);
    const previous = this.#objects.get(key);
    if (previous !== undefined && previous.uid !== object.uid) {
      return [this.#remove(key, previous), this.#add(key, object)];
    }
    if (previous === undefined) return [this.#add(key, object)];
    if (isDeepStrictEqual(previous, object)) return [];
    this.#remove(key, previous);
    this.#add(key, object);
    return [{ kind: "changed", key, object, previous }];
  }

  #add(key: string, object: T): StoreChange<T> {
    this.#objects.set(key, object);
    const value = this.#indexBy(object);
    const found = this.#index.get(value);
    if (found instanceof Map) found.set(key, object);
    else if (found === undefined) this.#index.set(value, object);
    else this.#index.set(value, new Map([[storeKey(found), found]]).set(key, object));
    return { kind: "added", key, object };
  }

  #remove(key: string, previous: T): StoreChange<T> {
    this.#objects.delete(key);
    const value = this.#indexBy(previous);
    const found = this.#index.get(value);
    if (found instanceof Map) {
      found.delete(key);
      if (found.size === 0) this.#index.delete(value);
    } else if (found === previous) this.#index.delete(value);
    return { kind: "removed", key, previous };
  }

  #report(changes: readonly StoreChange<T>[]): void {
    if (changes.length === 0) return;
    for (const listener of [...this.#subscribers]) listener(changes);
  }
}
