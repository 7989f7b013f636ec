/** What lists and watches say, put into a store. Used by Reflector. */
import { isDeepStrictEqual } from "node:util";
import type { Logger } from "../log.ts";
import { textAt } from "./json.ts";
import { type Store, type StoredObject, storeKey } from "./store.ts";
import type { WatchEvent } from "./watch-events.ts";

/** What a feed works with. */
export interface StoreFeedComponents<T extends StoredObject> {
  readonly store: Pick<Store<T>, "get" | "replace" | "put" | "delete">;
  readonly log: Logger;
  /** JSON of the API to a slim object; throws when it cannot, and the object is then left out. */
  readonly parse: (value: unknown) => T;
}

/** An item of a list that cannot be read. */
class Unreadable {
  readonly uid: string;
  readonly version: string;

  constructor(uid: string, version: string) {
    this.uid = uid;
    this.version = version;
  }
}

/** An item of a list as `read` gives it, for `replace`. */
export type ReadItem<T> = T | Unreadable;

/** Reads objects, and leaves out those that cannot be read: of those the store holds nothing, not even their past. */
export class StoreFeed<T extends StoredObject> {
  readonly #components: StoreFeedComponents<T>;
  /** The versions that stand in the log as unreadable, by uid. */
  #reported = new Map<string, string>();

  constructor(components: StoreFeedComponents<T>) {
    this.#components = components;
  }

  /** Reads an item of a list; what the store has already is that object again, so that `replace` sees it at once. */
  read(item: unknown): ReadItem<T> {
    const object = this.#parse(item);
    if (object === undefined) return new Unreadable(identityOf(item).uid, versionOf(item));
    const stored = this.#components.store.get(storeKey(object));
    return stored !== undefined && isDeepStrictEqual(stored, object) ? stored : object;
  }

  /** Takes a complete list, each item of it read; of one namespace only if that is given. */
  replace(items: readonly ReadItem<T>[], namespace: string | undefined): void {
    const unreadable = items.filter((item) => item instanceof Unreadable);
    this.#reported = new Map(unreadable.map(({ uid, version }) => [uid, version]));
    this.#components.store.replace(
      items.filter((item): item is T => !(item instanceof Unreadable)),
      namespace,
    );
  }

  /** Takes an event of a watch. */
  take({ type: kind, object }: WatchEvent): void {
    const { store } = this.#components;
    switch (kind) {
      case "ADDED":
      case "MODIFIED":
        this.#put(object);
        break;
      case "DELETED": {
        // By its metadata alone, so that an object that cannot be read can still go.
        const identity = identityOf(object);
        this.#reported.delete(identity.uid);
        store.delete(identity);
        break;
      }
      case "BOOKMARK":
        break;
      default: {
        kind satisfies never;
      }
    }
  }

  #put(value: unknown): void {
    const { store } = this.#components;
    const object = this.#parse(value);
    if (object !== undefined) {
      store.put(object);
      return;
    }
    // What it was before is no longer so, and neither is what had its name before.
    const previous = store.get(storeKey(identityOf(value)));
    if (previous !== undefined) store.delete(previous);
  }

  #parse(value: unknown): T | undefined {
    try {
      const object = this.#components.parse(value);
      this.#reported.delete(object.uid);
      return object;
    } catch (error) {
      this.#report(value, error);
      return undefined;
    }
  }

  /** Once for each version: lists bring it again and again. */
  #report(value: unknown, error: unknown): void {
    const { namespace, name, uid } = identityOf(value);
    const version = versionOf(value);
    if (this.#reported.get(uid) === version) return;
    this.#reported.set(uid, version);
    this.#components.log.warn("Left out an object that cannot be read", { object: `${namespace}/${name}`, error });
  }
}

function identityOf(value: unknown): StoredObject {
  return {
    namespace: textAt(value, "metadata", "namespace") ?? "",
    name: textAt(value, "metadata", "name") ?? "",
    uid: textAt(value, "metadata", "uid") ?? "",
  };
}

function versionOf(value: unknown): string {
  return textAt(value, "metadata", "resourceVersion") ?? "";
}
