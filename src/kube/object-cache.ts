/**
 * One cache for every kind of object that somebody follows: a kind is watched when it is first asked for, once however
 * many ask, and no longer than the last of them wants it. Promises that all followers of a kind and scope read the same
 * store. Used by ClusterCache, and by whoever needs pods, owners or leases.
 */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { ApiClient } from "./api-client.ts";
import { type ApiResource, type ListScope, probePath } from "./list-watch.ts";
import { Reflector } from "./reflector.ts";
import type { ReflectorStatus } from "./reflector-status.ts";
import { ServerNews } from "./server-news.ts";
import { type Lister, Store, type StoreChange, type StoredObject } from "./store.ts";

/** What a cache works with. */
export interface ObjectCacheComponents {
  readonly client: Pick<ApiClient, "getJson" | "getList" | "watch">;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1); Math.random unless given. */
  readonly random?: () => number;
}

/** A kind of object and how it is read. Followers share a watch when they hand in the same one, so keep it in a constant. */
export interface ObjectKind<T extends StoredObject> {
  readonly resource: ApiResource;
  /** JSON of the API to a slim object; throws when it cannot, and the object is then left out. */
  readonly parse: (value: unknown) => T;
  /** The value under which `byIndex` finds the object. Must be pure. */
  readonly indexBy?: (object: T) => string;
}

/** Which objects of a kind: all, unless narrowed. */
export type ObjectScope = Omit<ListScope, "resource">;

/** A part of the cluster that is being followed. Disposing gives it up; what was known stays readable. */
export interface Followed<T extends StoredObject> extends AsyncDisposable {
  readonly objects: Lister<T>;
  /** Resolves when the first list is there; rejects with `aborted` when the watch ends before that. */
  readonly synced: Promise<void>;
  /** How the watch fares now. */
  readonly status: ReflectorStatus;
  /** Tells the listener about every change of the status, until either is disposed. */
  onStatus(listener: (status: ReflectorStatus) => void): Disposable;
  /** Tells the listener what changed, after it has; it must not throw. Ends when either is disposed. */
  onChange(listener: (changes: readonly StoreChange<T>[]) => void): Disposable;
}

/** One watch and the number of its followers. */
interface Shared<T extends StoredObject> {
  readonly store: Store<T>;
  readonly reflector: Reflector<T>;
  followers: number;
}

/** Watches kinds on demand. */
export class ObjectCache implements AsyncDisposable {
  readonly #components: ObjectCacheComponents;
  readonly #news: ServerNews;
  /** What is shared, by kind and scope: a Shared of the kind's type. */
  readonly #watches = new Map<unknown, Map<string, unknown>>();
  /** Those that run, or are about to end. */
  readonly #reflectors = new Set<AsyncDisposable>();
  #ended = false;

  constructor(components: ObjectCacheComponents) {
    this.#components = components;
    this.#news = new ServerNews(components.clock, components.random ?? Math.random);
  }

  /**
   * Follows the objects of a kind; begins to watch them if nobody did.
   * @throws LocalizerError `aborted` when the cache is disposed
   */
  follow<T extends StoredObject>(kind: ObjectKind<T>, scope: ObjectScope = {}): Followed<T> {
    if (this.#ended) throw new LocalizerError("aborted", `Cannot follow ${kind.resource.plural}: the cache has ended`);
    const shared = this.#shared(kind, scope);
    shared.followers++;
    const { store, reflector } = shared;
    const subscriptions = new DisposableStack();
    let left: Promise<void> | undefined;
    return {
      objects: store,
      synced: reflector.hasSynced,
      get status() {
        return reflector.status;
      },
      onStatus: (listener) => ownedBy(subscriptions, reflector.onStatus(listener)),
      onChange: (listener) => ownedBy(subscriptions, store.subscribe(listener)),
      [Symbol.asyncDispose]: () => {
        subscriptions.dispose();
        left ??= this.#leave(kind, scope, shared);
        return left;
      },
    };
  }

  /**
   * Asks for one object, to see whether a kind may be listed.
   * @throws LocalizerError as ApiClient.getJson: `denied` when it may not
   */
  async probe({ resource }: Pick<ObjectKind<StoredObject>, "resource">, signal: AbortSignal): Promise<void> {
    await this.#components.client.getJson(probePath({ resource }), { signal });
  }

  /** Ends all watches, whoever follows them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await Promise.all([...this.#reflectors].map((reflector) => reflector[Symbol.asyncDispose]()));
  }

  #shared<T extends StoredObject>(kind: ObjectKind<T>, scope: ObjectScope): Shared<T> {
    const scopes = this.#watches.get(kind) ?? new Map<string, unknown>();
    this.#watches.set(kind, scopes);
    const name = nameOf(scope);
    // What stands under a kind was made below, from that very kind, and so is of its type.
    const known = scopes.get(name) as Shared<T> | undefined;
    if (known !== undefined) return known;
    const store = new Store<T>(kind.indexBy === undefined ? {} : { indexBy: kind.indexBy });
    const options = { scope: { resource: kind.resource, ...scope }, parse: kind.parse };
    const reflector = new Reflector({ ...this.#components, store, news: this.#news }, options);
    const shared: Shared<T> = { store, reflector, followers: 0 };
    scopes.set(name, shared);
    this.#reflectors.add(reflector);
    void reflector.run();
    return shared;
  }

  async #leave<T extends StoredObject>(kind: ObjectKind<T>, scope: ObjectScope, shared: Shared<T>): Promise<void> {
    shared.followers--;
    if (shared.followers > 0) return;
    const scopes = this.#watches.get(kind);
    scopes?.delete(nameOf(scope));
    if (scopes?.size === 0) this.#watches.delete(kind);
    await shared.reflector[Symbol.asyncDispose]();
    this.#reflectors.delete(shared.reflector);
  }
}

function nameOf({ namespace, labelSelector, fieldSelector }: ObjectScope): string {
  return JSON.stringify([namespace, labelSelector, fieldSelector]);
}

/** The subscription ends with the follower, unless it is disposed before. */
function ownedBy(stack: DisposableStack, subscription: Disposable): Disposable {
  if (stack.disposed) subscription[Symbol.dispose]();
  else stack.use(subscription);
  return subscription;
}
