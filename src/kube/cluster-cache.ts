/**
 * The cluster's Services and their EndpointSlices, always at hand, with word of every Service that changes. Follows all
 * namespaces with two watches; those that it is told, or where the rights allow no more those to fall back on, with two
 * watches each. Used by controller and daemon.
 */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { ServiceKey } from "../model/service-key.ts";
import { apiStatusOf } from "./api-status.ts";
import type { EndpointSlice } from "./endpoint-slice.ts";
import type { ObjectCache } from "./object-cache.ts";
import { type CacheScope, ScopeChoice, type ScopeOptions } from "./scope-choice.ts";
import type { Service } from "./service.ts";
import { ServiceWatches, serviceKind, sliceKind, type WatchStatus } from "./service-watches.ts";
import type { Lister } from "./store.ts";

/** What a cache works with. */
export interface ClusterCacheComponents {
  readonly objects: Pick<ObjectCache, "follow" | "probe">;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1); Math.random unless given. */
  readonly random?: () => number;
}

/** Settings of a cache. With nothing to fall back on, the cluster-wide watches stay as they are: denied. */
export interface ClusterCacheOptions extends ScopeOptions {
  /** A label selector for Services; all when undefined. */
  readonly selector?: string | undefined;
}

/** Follows Services and EndpointSlices from its making to its disposal. */
export class ClusterCache implements AsyncDisposable {
  readonly #components: ClusterCacheComponents;
  readonly #options: ClusterCacheOptions;
  readonly #synced = Promise.withResolvers<void>();
  readonly #listeners = new Set<(key: ServiceKey) => void>();
  readonly #statusListeners = new Set<(status: WatchStatus) => void>();
  /** Those that run, or are about to end. */
  readonly #open = new Set<ServiceWatches>();
  /** Watches of which every one has listed or is denied. */
  readonly #decided = new Set<ServiceWatches>();
  readonly #choice: ScopeChoice;
  /** Watches whose denial stands in the log. */
  readonly #denied = new Set<string>();
  /** Read from. */
  #watches: ServiceWatches;
  /** Of a later choice; read from as soon as they are decided. */
  #next: ServiceWatches | undefined;

  constructor(components: ClusterCacheComponents, options: ClusterCacheOptions) {
    this.#components = components;
    this.#options = options;
    this.#synced.promise.catch(() => {});
    const probe = async (signal: AbortSignal) => {
      await Promise.all([serviceKind, sliceKind].map((kind) => components.objects.probe(kind, signal)));
    };
    this.#choice = new ScopeChoice({ ...components, probe, onChange: () => this.#change() }, options);
    this.#watches = this.#follow(options.namespaces);
    this.#settleWhenDecided(this.#watches);
    this.#choice.look(this.#watches);
  }

  /** The Services, by ServiceKey. */
  get services(): Lister<Service> {
    return this.#watches.services;
  }

  /** The slices of a Service, whether or not the Service is known. */
  slicesOf(key: ServiceKey): readonly EndpointSlice[] {
    return this.#watches.slices.byIndex(key);
  }

  /**
   * Resolves when all that may be listed has been listed once: a watch that is denied is not waited for, and shows in the
   * statuses. Waits as long as that takes; rejects with `aborted` when the cache is disposed before, with `usage` when the
   * server cannot read the selector.
   */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** What it follows now. */
  get scope(): CacheScope {
    return this.#choice.scope;
  }

  /** How its watches fare now. */
  get statuses(): readonly WatchStatus[] {
    return this.#newest.statuses;
  }

  /**
   * Tells the listener the key of every Service that was added, changed or removed, or whose slices were. Called once
   * for each key and batch, after the cache has changed; it must not throw. Disposing ends it.
   */
  onChange(listener: (key: ServiceKey) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** Tells the listener whenever the status of one of the watches changes. Disposing ends it. */
  onStatus(listener: (status: WatchStatus) => void): Disposable {
    this.#statusListeners.add(listener);
    return { [Symbol.dispose]: () => this.#statusListeners.delete(listener) };
  }

  /** Ends the watches. What was known stays readable. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#choice[Symbol.dispose]();
    this.#synced.reject(new LocalizerError("aborted", "Stopped"));
    await Promise.all([...this.#open].map((watches) => this.#end(watches)));
  }

  #follow(namespaces: readonly string[] | undefined): ServiceWatches {
    const { objects } = this.#components;
    const { selector } = this.#options;
    const watches: ServiceWatches = new ServiceWatches(
      objects,
      { namespaces, selector },
      {
        onChange: (key) => this.#watches === watches && this.#tell([key]),
        onStatus: (status) => this.#take(watches, status),
      },
    );
    this.#open.add(watches);
    return watches;
  }

  async #end(watches: ServiceWatches): Promise<void> {
    await watches[Symbol.asyncDispose]();
    this.#open.delete(watches);
  }

  #take(watches: ServiceWatches, status: WatchStatus): void {
    if (watches !== this.#newest) return;
    // One that is given up at once was never denied, as far as others are concerned.
    if (this.#choice.look(watches)) return;
    this.#tellStatus(status);
    this.#settle();
    this.#endIfSelectorIsWrong(status);
  }

  /** No later try can help: only who wrote it can. */
  #endIfSelectorIsWrong({ plural, lastError }: WatchStatus): void {
    const { selector } = this.#options;
    const said = apiStatusOf(lastError);
    if (selector === undefined || plural !== "services" || said?.httpStatus !== 400) return;
    const sentence = `Cannot use the selector "${selector}": ${said.message}`;
    this.#synced.reject(new LocalizerError("usage", sentence, { cause: lastError }));
  }

  /** Those that will be read from, if they are not yet. */
  get #newest(): ServiceWatches {
    return this.#next ?? this.#watches;
  }

  #change(): void {
    // Of a choice that did not last.
    if (this.#next !== undefined) void this.#end(this.#next);
    this.#next = this.#follow(this.scope.namespaces);
    for (const status of this.#next.statuses) this.#tellStatus(status);
    this.#settleWhenDecided(this.#next);
    this.#choice.look(this.#next);
  }

  #settleWhenDecided(watches: ServiceWatches): void {
    // It fails with `aborted` only, which disposal tells.
    watches.decided.then(
      () => {
        this.#decided.add(watches);
        this.#settle();
      },
      () => {},
    );
  }

  /** Reads from the newest watches as soon as they know anything; what is known stays at hand until then. */
  #settle(): void {
    const next = this.#newest;
    if (!this.#decided.has(next)) return;
    const before = this.#watches;
    const knowsNothing = next.statuses.every(({ state }) => state === "denied");
    if (next !== before && !(knowsNothing && before.hasWorked)) {
      this.#watches = next;
      this.#next = undefined;
      void this.#end(before);
      this.#tell(new Set([...before.keys(), ...next.keys()]));
    }
    this.#synced.resolve();
  }

  #tellStatus(status: WatchStatus): void {
    const { plural, namespace, lastError: error } = status;
    const watch = `${namespace ?? ""}/${plural}`;
    if (status.state === "watching") this.#denied.delete(watch);
    else if (status.state === "denied" && !this.#denied.has(watch)) {
      this.#denied.add(watch);
      this.#components.log.warn("May not list", { what: plural, namespace, error });
    }
    for (const listener of [...this.#statusListeners]) listener(status);
  }

  #tell(keys: Iterable<ServiceKey>): void {
    for (const key of keys) for (const listener of [...this.#listeners]) listener(key);
  }
}
