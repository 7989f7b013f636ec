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
import type { LoopbackAddress } from "../model/loopback.ts";
import type { ServiceKey } from "../model/service-key.ts";
import { Tunnel } from "../tunnel/tunnel.ts";
import type { TunnelComponents, TunnelPortStatus } from "../tunnel/tunnel-components.ts";
import { WorkQueue } from "../work-queue.ts";
import { type Desired, desiredTunnel, type ServiceFilter } from "./desired.ts";
import { type HostNamePolicy, type HostNames, serviceNames } from "./host-names.ts";
import type { HostsPublisher } from "./hosts-publisher.ts";

/** How many services are worked on at once. The helper binds one port at a time anyway. */
const workers = 4;

/** What a controller works with. */
export interface ControllerComponents extends TunnelComponents {
  readonly cache: Pick<ClusterCache, "services" | "slicesOf" | "onChange" | "synced">;
  readonly addresses: AddressBook;
  readonly hosts: HostsPublisher;
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
  | {
      readonly kind: "tunnel";
      readonly key: ServiceKey;
      readonly address: LoopbackAddress;
      readonly ports: readonly TunnelPortStatus[];
      readonly names: HostNames;
      readonly notice: string | undefined;
      /** The pods that have names and addresses of their own, by host name: those of a headless Service. */
      readonly pods: readonly PodTunnelState[];
    };

/** How the tunnel to one pod of a headless Service stands. */
export interface PodTunnelState {
  /** The first label of its names: what cluster DNS calls the pod. */
  readonly hostname: string;
  readonly address: LoopbackAddress;
  readonly ports: readonly TunnelPortStatus[];
  readonly names: HostNames;
}

type Served = {
  readonly tunnel: Tunnel;
  readonly names: HostNames;
  notice: string | undefined;
};

/** Follows the cache from `start` until it is disposed. */
export class Controller implements AsyncDisposable {
  readonly #components: ControllerComponents;
  readonly #options: ControllerOptions;
  readonly #queue: WorkQueue<ServiceKey>;
  readonly #served = new Map<ServiceKey, Served>();
  readonly #unserved = new Map<ServiceKey, ServiceState>();
  readonly #stop = new AbortController();
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
    this.#stop.signal.addEventListener("abort", () => changes[Symbol.dispose](), { once: true });
    await unlessAborted(cache.synced, stopped);
    for (const service of cache.services.list()) this.#queue.add(keyOfService(service));
    this.#running = Promise.all(Array.from({ length: workers }, () => this.#work())).then(() => {});
    await this.#queue.drain(stopped);
    await unlessAborted(hosts.start(), stopped);
  }

  /** True when every wished-for tunnel is decided and the hosts file holds their names. */
  get isStable(): boolean {
    return this.#running !== undefined && this.#queue.idle && this.#components.hosts.settled;
  }

  /** Every service and how it stands, by key. */
  get states(): readonly ServiceState[] {
    const served = [...this.#served].map(
      ([key, { tunnel, names, notice }]): ServiceState => ({
        kind: "tunnel",
        key,
        address: tunnel.address,
        ports: tunnel.ports,
        names,
        notice,
        pods: [],
      }),
    );
    return [...served, ...this.#unserved.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** A pod that some service could send a connection to now. */
  get readyPod(): PodRef | undefined {
    for (const { tunnel } of this.#served.values()) {
      const port = tunnel.ports.find(({ endpoint }) => endpoint !== undefined);
      if (port?.endpoint !== undefined) return port.endpoint.pod;
    }
    return undefined;
  }

  /** Ends the work and closes every tunnel. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#queue[Symbol.dispose]();
    await this.#running;
    await Promise.all([...this.#served.values()].map(({ tunnel }) => tunnel[Symbol.asyncDispose]()));
    this.#served.clear();
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
    if (!this.#served.has(key)) this.#unserved.set(key, { kind: "failed", key, error });
  }

  async #reconcile(key: ServiceKey): Promise<void> {
    const { cache } = this.#components;
    const desired = desiredTunnel(cache.services.get(key), cache.slicesOf(key), this.#options.filter);
    switch (desired.kind) {
      case "absent":
        await this.#withdraw(key);
        this.#unserved.delete(key);
        return;
      case "skipped":
        await this.#withdraw(key);
        this.#unserved.set(key, { kind: "skipped", key, reason: desired.reason });
        return;
      case "tunnel":
        await this.#serve(key, desired);
        return;
      default:
        desired satisfies never;
    }
  }

  async #serve(key: ServiceKey, desired: Extract<Desired, { kind: "tunnel" }>): Promise<void> {
    const { addresses, hosts, log } = this.#components;
    let served = this.#served.get(key);
    if (served === undefined) {
      const names = serviceNames(key, this.#options.names);
      const tunnel = new Tunnel(this.#components, addresses.allocate(key));
      served = { tunnel, names, notice: undefined };
      this.#served.set(key, served);
      this.#unserved.delete(key);
      log.debug("Opening tunnel", { key, address: tunnel.address });
    }
    served.notice = desired.notice;
    hosts.set(key, { address: served.tunnel.address, names: served.names.names });
    await served.tunnel.update(desired.ports, this.#stop.signal);
  }

  async #withdraw(key: ServiceKey): Promise<void> {
    const { addresses, hosts, log } = this.#components;
    const served = this.#served.get(key);
    if (served === undefined) return;
    this.#served.delete(key);
    hosts.set(key, undefined);
    await served.tunnel[Symbol.asyncDispose]();
    addresses.release(key);
    log.debug("Closed tunnel", { key });
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
