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
import type { Service } from "./service.ts";
import { ServiceWatches, type WatchStatus } from "./service-watches.ts";
import type { Lister } from "./store.ts";

/** What a cache works with. */
export interface ClusterCacheComponents {
  readonly objects: Pick<ObjectCache, "follow">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Settings of a cache. */
export interface ClusterCacheOptions {
  /** The namespaces to follow; all when undefined. */
  readonly namespaces?: readonly string[] | undefined;
  /** Those to follow instead when not all may be listed. When empty, the cluster-wide watches stay as they are: denied. */
  readonly fallbackNamespaces: readonly string[];
  /** A label selector for Services; all when undefined. */
  readonly selector?: string | undefined;
}

/** What the cache follows. */
export interface CacheScope {
  /** All when undefined. */
  readonly namespaces: readonly string[] | undefined;
  /** Why it is not all, when that was not asked for: the server's refusal. */
  readonly because: LocalizerError | undefined;
}

/**
 * A server that is just starting refuses what it will soon allow, as it does not know its roles yet. What worked before
 * has to be denied for so long before all other namespaces are given up.
 */
const patienceMs = 60_000;

/** Follows Services and EndpointSlices from its making to its disposal. */
export class ClusterCache implements AsyncDisposable {
  readonly #components: ClusterCacheComponents;
  readonly #options: ClusterCacheOptions;
  readonly #synced = Promise.withResolvers<void>();
  readonly #listeners = new Set<(key: ServiceKey) => void>();
  readonly #statusListeners = new Set<(status: WatchStatus) => void>();
  readonly #ends = new AsyncDisposableStack();
  /** Watches of which every one has listed or is denied. */
  readonly #decided = new Set<ServiceWatches>();
  /** Read from; the first ones until those to fall back on are decided. */
  #watches: ServiceWatches;
  #fallback: ServiceWatches | undefined;
  /** Watches whose denial stands in the log. */
  readonly #denied = new Set<string>();
  #because: LocalizerError | undefined;
  #patience: Disposable | undefined;

  constructor(components: ClusterCacheComponents, options: ClusterCacheOptions) {
    this.#components = components;
    this.#options = options;
    this.#synced.promise.catch(() => {});
    this.#watches = this.#open(options.namespaces);
    this.#settleWhenDecided(this.#watches);
    this.#fallBackIfDenied();
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
    const { namespaces, fallbackNamespaces } = this.#options;
    if (this.#because === undefined) return { namespaces, because: undefined };
    return { namespaces: [...new Set(fallbackNamespaces)], because: this.#because };
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
    this.#patience?.[Symbol.dispose]();
    this.#synced.reject(new LocalizerError("aborted", "Stopped"));
    await this.#ends.disposeAsync();
  }

  #open(namespaces: readonly string[] | undefined): ServiceWatches {
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
    return this.#ends.use(watches);
  }

  #take(watches: ServiceWatches, status: WatchStatus): void {
    if (watches !== this.#newest) return;
    // One that is given up at once was never denied, as far as others are concerned.
    if (this.#fallBackIfDenied()) return;
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
    return this.#fallback ?? this.#watches;
  }

  /** True when it fell back; what worked before is given some time. */
  #fallBackIfDenied(): boolean {
    if (!this.#mayFallBack) return false;
    const denial = this.#denial;
    if (denial === undefined) {
      this.#endPatience();
      return false;
    }
    if (this.#watches.hasWorked) {
      this.#patience ??= this.#components.clock.after(patienceMs, () => this.#fallBack(this.#denial ?? denial));
      return false;
    }
    this.#fallBack(denial);
    return true;
  }

  get #mayFallBack(): boolean {
    const { namespaces, fallbackNamespaces } = this.#options;
    return namespaces === undefined && fallbackNamespaces.length > 0 && this.#because === undefined;
  }

  /** Why one of the watches lacks the right. Not known to the server at all is no lack of rights. */
  get #denial(): LocalizerError | undefined {
    return this.#watches.statuses.map(({ lastError }) => lastError).find((error) => error?.code === "denied");
  }

  #endPatience(): void {
    this.#patience?.[Symbol.dispose]();
    this.#patience = undefined;
  }

  #fallBack(because: LocalizerError): void {
    this.#endPatience();
    this.#because = because;
    const { namespaces } = this.scope;
    const sentence = "May not list Services in all namespaces, so following some";
    this.#components.log.info(sentence, { namespaces: namespaces?.join(","), error: because });
    this.#fallback = this.#open(namespaces);
    for (const status of this.#fallback.statuses) this.#tellStatus(status);
    this.#settleWhenDecided(this.#fallback);
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
      this.#fallback = undefined;
      // The stack ends it again, which does nothing.
      void before[Symbol.asyncDispose]();
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
