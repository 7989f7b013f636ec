/**
 * The watches for Services and their slices of some namespaces, or of all with two watches in total, read as if they
 * were one. Used by ClusterCache, which chooses the namespaces.
 */
import type { ServiceKey } from "../model/service-key.ts";
import { type EndpointSlice, parseEndpointSlice, serviceKeyOfSlice, serviceNameLabel } from "./endpoint-slice.ts";
import { mergedLister } from "./merged-lister.ts";
import type { Followed, ObjectCache, ObjectKind, ObjectScope } from "./object-cache.ts";
import type { ReflectorStatus } from "./reflector-status.ts";
import { keyOfService, parseService, type Service } from "./service.ts";
import type { Lister, StoreChange, StoredObject } from "./store.ts";

/** The kind Service, as the object cache wants it. */
export const serviceKind: ObjectKind<Service> = {
  resource: { group: "", version: "v1", plural: "services" },
  parse: parseService,
};

/** The kind EndpointSlice; `byIndex` takes the key of the Service. */
export const sliceKind: ObjectKind<EndpointSlice> = {
  resource: { group: "discovery.k8s.io", version: "v1", plural: "endpointslices" },
  parse: parseEndpointSlice,
  indexBy: serviceKeyOfSlice,
};

/** How one of the watches fares. */
export interface WatchStatus extends ReflectorStatus {
  readonly plural: "services" | "endpointslices";
  /** All namespaces when absent. */
  readonly namespace?: string;
}

/** Which Services. */
export interface ServiceScope {
  /** All namespaces when undefined. */
  readonly namespaces: readonly string[] | undefined;
  /** A label selector for the Services; their slices are followed all the same. */
  readonly selector?: string | undefined;
}

/** What its owner is told. Neither may throw. */
export interface ServiceWatchesEvents {
  /** A Service, or a slice of it, was added, changed or removed; once for each key and batch. */
  readonly onChange: (key: ServiceKey) => void;
  readonly onStatus: (status: WatchStatus) => void;
}

interface Watch {
  readonly followed: Followed<Service> | Followed<EndpointSlice>;
  readonly about: Pick<WatchStatus, "plural" | "namespace">;
}

/** Follows from its making to its disposal. */
export class ServiceWatches implements AsyncDisposable {
  /** By ServiceKey. */
  readonly services: Lister<Service>;
  readonly slices: Lister<EndpointSlice>;
  /** Resolves when every watch has listed once, or is denied; rejects with `aborted` when it is disposed before. */
  readonly decided: Promise<void>;
  readonly #watches: readonly Watch[];
  #hasWorked = false;

  constructor(objects: Pick<ObjectCache, "follow">, scope: ServiceScope, events: ServiceWatchesEvents) {
    const places = scope.namespaces === undefined ? [undefined] : [...new Set(scope.namespaces)];
    const selection: ObjectScope = scope.selector === undefined ? {} : { labelSelector: scope.selector };
    // Slices that belong to no Service are of no use.
    const tied: ObjectScope = { labelSelector: serviceNameLabel };
    const made = places.map((namespace) => {
      const where = namespace === undefined ? {} : { namespace };
      const services = objects.follow(serviceKind, { ...selection, ...where });
      const slices = objects.follow(sliceKind, { ...tied, ...where });
      services.onChange((changes) => report(changes, keyOfService, events.onChange));
      slices.onChange((changes) => report(changes, serviceKeyOfSlice, events.onChange));
      return { services, slices, where };
    });
    this.services = mergedLister(made.map(({ services }) => services.objects));
    this.slices = mergedLister(made.map(({ slices }) => slices.objects));
    this.#watches = made.flatMap(({ services, slices, where }): Watch[] => [
      { followed: services, about: { plural: "services", ...where } },
      { followed: slices, about: { plural: "endpointslices", ...where } },
    ]);
    this.decided = Promise.all(this.#watches.map(({ followed }) => decision(followed))).then(() => {});
    // Not everybody asks, and a rejection that nobody awaits would end the process.
    this.decided.catch(() => {});
    const worked = () => {
      this.#hasWorked = true;
    };
    Promise.all(this.#watches.map(({ followed }) => followed.synced)).then(worked, () => {});
    for (const { followed, about } of this.#watches) {
      followed.onStatus((status) => events.onStatus({ ...about, ...status }));
    }
  }

  /** How the watches fare now, Services and slices in turn. */
  get statuses(): readonly WatchStatus[] {
    return this.#watches.map(({ followed, about }) => ({ ...about, ...followed.status }));
  }

  /** Each of the watches has listed once. */
  get hasWorked(): boolean {
    return this.#hasWorked;
  }

  /** The keys of all Services that are known, or of which slices are. */
  keys(): ReadonlySet<ServiceKey> {
    return new Set([...this.services.list().map(keyOfService), ...this.slices.list().map(serviceKeyOfSlice)]);
  }

  /** Ends the watches. What was known stays readable. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#watches.map(({ followed }) => followed[Symbol.asyncDispose]()));
  }
}

function report<T extends StoredObject>(
  changes: readonly StoreChange<T>[],
  keyOf: (object: T) => ServiceKey,
  tell: (key: ServiceKey) => void,
): void {
  const keys = new Set<ServiceKey>();
  for (const change of changes) {
    if (change.kind !== "removed") keys.add(keyOf(change.object));
    // A slice may have been given to another Service: both have changed.
    if (change.kind !== "added") keys.add(keyOf(change.previous));
  }
  for (const key of keys) tell(key);
}

/** A denied watch would be waited for without end: it may stay denied for good. */
async function decision(followed: Pick<Followed<StoredObject>, "synced" | "status" | "onStatus">): Promise<void> {
  const denied = Promise.withResolvers<void>();
  using _listening = followed.onStatus(({ state }) => state === "denied" && denied.resolve());
  if (followed.status.state === "denied") return;
  await Promise.race([followed.synced, denied.promise]);
}
