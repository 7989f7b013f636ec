/**
 * controller: decides which tunnels should exist, and makes it so, by key, from a queue. Level-triggered:
 * a missed event, a retry and a restart all take the same path; retrying is the queue's affair. It never
 * touches a byte of traffic. Used by daemon.
 */
import type { AddressBook } from "../addresses/address-book.ts";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import type { ClusterCache } from "../kube/cluster-cache.ts";
import { keyOfService } from "../kube/service.ts";
import type { PodRef } from "../model/endpoint.ts";
import { namespaceOf, type ServiceKey } from "../model/service-key.ts";
import type { TunnelComponents } from "../tunnel/tunnel-components.ts";
import { WorkQueue } from "../work-queue.ts";
import { desiredTunnel, type ServiceFilter } from "./desired.ts";
import type { HostNamePolicy } from "./host-names.ts";
import type { HostsPublisher } from "./hosts-publisher.ts";
import type { NamedTunnelComponents } from "./named-tunnel.ts";
import { ServedService, type ServedState } from "./served-service.ts";

/** How many services are worked on at once. The helper binds one port at a time anyway. */
const workers = 4;

/** At the start so long for names that are being asked for. */
const namesPatienceMs = 250;

/** What a controller works with. */
export interface ControllerComponents extends TunnelComponents {
  readonly cache: Pick<ClusterCache, "services" | "slicesOf" | "onChange" | "synced">;
  readonly addresses: AddressBook;
  readonly hosts: HostsPublisher;
  readonly onReleased?: NamedTunnelComponents["onReleased"];
}

/** What decides beside the cluster. */
export interface ControllerOptions {
  readonly filter: ServiceFilter;
  readonly names: HostNamePolicy;
}

/** How a service stands, as facts; the words for it are the daemon's. */
export type ServiceState =
  | { readonly kind: "skipped"; readonly key: ServiceKey; readonly reason: string }
  | { readonly kind: "failed"; readonly key: ServiceKey; readonly error: LocalizerError }
  | ({ readonly kind: "tunnel" } & ServedState);

/** How the tunnel to one pod of a headless Service stands. */
export type PodTunnelState = ServedState["pods"][number];

/** Follows the cache from `start` until it is disposed. */
export class Controller implements AsyncDisposable {
  readonly #components: ControllerComponents;
  readonly #options: ControllerOptions;
  readonly #queue: WorkQueue<ServiceKey>;
  readonly #served = new Map<ServiceKey, ServedService>();
  readonly #unserved = new Map<ServiceKey, ServiceState>();
  readonly #stop = new AbortController();
  /** Every key of the two maps, sorted; made when somebody looks and dropped when a key comes or goes. */
  #keys: readonly ServiceKey[] | undefined;
  #running: Promise<void> | undefined;

  constructor(components: ControllerComponents, options: ControllerOptions) {
    this.#components = components;
    this.#options = options;
    this.#queue = new WorkQueue(components.clock);
  }

  /**
   * Resolves when every service that exists now has been decided once and its names are written, or could not be.
   * @throws LocalizerError `aborted` when the signal fires first
   */
  async start(signal: AbortSignal): Promise<void> {
    const { cache, hosts } = this.#components;
    const stopped = AbortSignal.any([signal, this.#stop.signal]);
    const changes = cache.onChange((key) => this.#queue.add(key));
    const names = this.#options.names.onChange((changed) => this.#namesChanged(changed));
    const unsubscribe = () => {
      changes[Symbol.dispose]();
      names[Symbol.dispose]();
    };
    this.#stop.signal.addEventListener("abort", unsubscribe, { once: true });
    await unlessAborted(cache.synced, stopped);
    // In one order on every machine: of two services that ask for one address the same one is moved.
    for (const key of cache.services.list().map(keyOfService).sort()) this.#queue.add(key);
    this.#running = Promise.all(Array.from({ length: workers }, () => this.#work())).then(() => {});
    await this.#queue.drain(stopped);
    await this.#namesSettled(stopped);
    await unlessAborted(hosts.start(), stopped);
  }

  /** True when every wished-for tunnel is decided, its names too, and the hosts file holds them. */
  get isStable(): boolean {
    return (
      this.#running !== undefined && this.#queue.idle && this.#options.names.settled && this.#components.hosts.settled
    );
  }

  /** Every service and how it stands, by key. */
  get states(): readonly ServiceState[] {
    this.#keys ??= [...this.#served.keys(), ...this.#unserved.keys()].sort();
    return this.#keys
      .map((key): ServiceState | undefined => {
        const served = this.#served.get(key);
        return served === undefined ? this.#unserved.get(key) : { kind: "tunnel", ...served.state };
      })
      .filter((state) => state !== undefined);
  }

  /** A pod that some service, of that namespace if one is named, could send a connection to now. */
  readyPod(namespace?: string): PodRef | undefined {
    for (const [key, { ports }] of this.#served) {
      if (namespace !== undefined && namespaceOf(key) !== namespace) continue;
      const port = ports.find(({ endpoint }) => endpoint !== undefined);
      if (port?.endpoint !== undefined) return port.endpoint.pod;
    }
    return undefined;
  }

  /** Ends the work and closes every tunnel. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#queue[Symbol.dispose]();
    await this.#running;
    await Promise.all([...this.#served.values()].map((served) => served[Symbol.asyncDispose]()));
    this.#served.clear();
    this.#keys = undefined;
  }

  async #work(): Promise<void> {
    for (;;) {
      const key = await this.#queue.get();
      if (key === undefined) return;
      try {
        await this.#reconcile(key);
        this.#queue.forget(key);
      } catch (thrown) {
        this.#failed(key, LocalizerError.from(thrown));
      }
      this.#queue.done(key);
    }
  }

  #failed(key: ServiceKey, error: LocalizerError): void {
    if (this.#stop.signal.aborted) return;
    // Said once: the state of the service keeps saying it.
    if (this.#queue.numRequeues(key) === 0) this.#components.log.warn("Cannot serve in full", { key, error });
    this.#queue.addRateLimited(key);
    if (!this.#served.has(key)) this.#unserve(key, { kind: "failed", key, error });
  }

  async #reconcile(key: ServiceKey): Promise<void> {
    const { cache } = this.#components;
    const { filter } = this.#options;
    const seen = this.#served.get(key)?.seen;
    const desired = desiredTunnel(cache.services.get(key), cache.slicesOf(key), filter, seen);
    switch (desired.kind) {
      case "absent":
        await this.#withdraw(key);
        this.#unserve(key, undefined);
        return;
      case "skipped":
        await this.#withdraw(key);
        this.#unserve(key, { kind: "skipped", key, reason: desired.reason });
        return;
      case "tunnel":
        await (this.#served.get(key) ?? this.#serve(key)).update(desired, this.#stop.signal);
        return;
      default:
        desired satisfies never;
    }
  }

  /** @throws LocalizerError `unavailable` when no address is left */
  #serve(key: ServiceKey): ServedService {
    const served = new ServedService(this.#components, key, this.#options.names);
    this.#unserve(key, undefined);
    this.#served.set(key, served);
    this.#keys = undefined;
    this.#components.log.debug("Opening tunnel", { key, address: served.address });
    return served;
  }

  async #withdraw(key: ServiceKey): Promise<void> {
    const served = this.#served.get(key);
    if (served === undefined) return;
    this.#served.delete(key);
    this.#keys = undefined;
    await served.withdraw();
    this.#components.log.debug("Closed tunnel", { key });
  }

  /** How a service without a tunnel stands; undefined when it does not exist or has one. */
  #unserve(key: ServiceKey, state: ServiceState | undefined): void {
    if (state === undefined ? this.#unserved.delete(key) : !this.#unserved.has(key)) this.#keys = undefined;
    if (state !== undefined) this.#unserved.set(key, state);
  }

  /** Gives the policy's answers a moment, so that the first table has them; those that take longer come later. */
  async #namesSettled(signal: AbortSignal): Promise<void> {
    const { names } = this.#options;
    if (names.settled) return;
    const enough = Promise.withResolvers<void>();
    using _answers = names.onChange(() => names.settled && enough.resolve());
    using _timer = this.#components.clock.after(namesPatienceMs, enough.resolve);
    await unlessAborted(enough.promise, signal);
    await this.#queue.drain(signal);
  }

  #namesChanged(changed: ServiceKey | "all"): void {
    for (const key of changed === "all" ? [...this.#served.keys()] : [changed]) {
      const served = this.#served.get(key);
      // One that is not served computes its names when it is.
      if (served === undefined) continue;
      served.namesAreStale = true;
      this.#queue.add(key);
    }
  }
}

/** The promise's outcome, or `aborted` as soon as the signal fires. */
function unlessAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    throwIfAborted(signal);
    const stop = () => reject(new LocalizerError("aborted", "Stopped", { cause: signal.reason }));
    signal.addEventListener("abort", stop, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
