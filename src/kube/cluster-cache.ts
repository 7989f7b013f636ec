/** The cluster's Services and their EndpointSlices, always at hand, with word of every Service that changes. */
import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import type { ServiceKey } from "../model/service-key.ts";
import type { ApiClient } from "./api-client.ts";
import { type EndpointSlice, parseEndpointSlice, serviceKeyOfSlice, serviceNameLabel } from "./endpoint-slice.ts";
import type { ListScope } from "./list-watch.ts";
import { Reflector, type ReflectorStatus } from "./reflector.ts";
import { keyOfService, parseService, type Service } from "./service.ts";
import { type Lister, Store, type StoreChange, type StoredObject } from "./store.ts";

/** What a cache works with. */
export interface ClusterCacheComponents {
  readonly client: Pick<ApiClient, "getJson" | "watch">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Settings of a cache. */
export interface ClusterCacheOptions {
  /** The namespaces to follow, two watches for each; all, with two watches in total, when absent. */
  readonly namespaces?: readonly string[] | undefined;
}

/** How one of the cache's watches fares. */
export interface WatchStatus extends ReflectorStatus {
  readonly plural: "services" | "endpointslices";
  /** All namespaces when absent. */
  readonly namespace?: string;
}

/** One watch of the cache: its reflector, and the part of the cluster that it follows. */
interface CacheWatch {
  readonly reflector: Reflector<Service> | Reflector<EndpointSlice>;
  readonly about: Pick<WatchStatus, "plural" | "namespace">;
}

const services = { group: "", version: "v1", plural: "services" } as const;
const slices = { group: "discovery.k8s.io", version: "v1", plural: "endpointslices" } as const;

/** Follows Services and EndpointSlices from its making to its disposal. */
export class ClusterCache implements AsyncDisposable {
  readonly #services = new Store<Service>();
  readonly #slices = new Store<EndpointSlice>({ indexBy: serviceKeyOfSlice });
  readonly #watches: readonly CacheWatch[];
  readonly #listeners = new Set<(key: ServiceKey) => void>();
  readonly #statusListeners = new Set<(status: WatchStatus) => void>();

  constructor(components: ClusterCacheComponents, options: ClusterCacheOptions = {}) {
    const namespaces = options.namespaces === undefined ? [undefined] : [...new Set(options.namespaces)];
    this.#watches = namespaces.flatMap((namespace) => this.#watchesOf(components, namespace));
    this.#services.subscribe((changes) => this.#report(changes, keyOfService));
    this.#slices.subscribe((changes) => this.#report(changes, serviceKeyOfSlice));
    for (const { reflector, about } of this.#watches) {
      reflector.onStatus((status) => this.#reportStatus({ ...about, ...status }));
      void reflector.run();
    }
  }

  /** The Services, by ServiceKey. */
  get services(): Lister<Service> {
    return this.#services;
  }

  /** The slices of a Service, whether or not the Service is known. */
  slicesOf(key: ServiceKey): readonly EndpointSlice[] {
    return this.#slices.byIndex(key);
  }

  /**
   * Resolves when all that exists has been listed once. Waits as long as that takes: see the statuses for why; rejects
   * with `aborted` when the cache is disposed before.
   */
  get synced(): Promise<void> {
    return Promise.all(this.#watches.map(({ reflector }) => reflector.hasSynced)).then(() => {});
  }

  /** How its watches fare now. */
  get statuses(): readonly WatchStatus[] {
    return this.#watches.map(({ reflector, about }) => ({ ...about, ...reflector.status }));
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
    await Promise.all(this.#watches.map(({ reflector }) => reflector[Symbol.asyncDispose]()));
  }

  #watchesOf(components: ClusterCacheComponents, namespace: string | undefined): CacheWatch[] {
    const where: Pick<ListScope, "namespace"> = namespace === undefined ? {} : { namespace };
    const serviceReflector = new Reflector(
      { ...components, store: this.#services },
      { scope: { resource: services, ...where }, parse: parseService },
    );
    const sliceReflector = new Reflector(
      { ...components, store: this.#slices },
      // Slices that belong to no Service are of no use.
      { scope: { resource: slices, labelSelector: serviceNameLabel, ...where }, parse: parseEndpointSlice },
    );
    return [
      { reflector: serviceReflector, about: { plural: services.plural, ...where } },
      { reflector: sliceReflector, about: { plural: slices.plural, ...where } },
    ];
  }

  #report<T extends StoredObject>(changes: readonly StoreChange<T>[], keyOf: (object: T) => ServiceKey): void {
    const keys = new Set<ServiceKey>();
    for (const change of changes) {
      if (change.kind !== "removed") keys.add(keyOf(change.object));
      // A slice may have been given to another Service: both have changed.
      if (change.kind !== "added") keys.add(keyOf(change.previous));
    }
    for (const key of keys) for (const listener of [...this.#listeners]) listener(key);
  }

  #reportStatus(status: WatchStatus): void {
    for (const listener of [...this.#statusListeners]) listener(status);
  }
}
