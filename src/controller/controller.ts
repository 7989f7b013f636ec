/**
 * controller: decides which tunnels should exist, and makes it so, by key, from a queue. Level-triggered:
 * a missed event, a retry and a restart all take the same path; retrying is the queue's affair. It never
 * touches a byte of traffic. Used by daemon.
 */
import type { AddressBook } from "../addresses/address-book.ts";
import { unlessAborted } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { ClusterCache } from "../kube/cluster-cache.ts";
import { keyOfService } from "../kube/service.ts";
import type { PodRef } from "../model/endpoint.ts";
import type { ServiceKey } from "../model/service-key.ts";
import type { TunnelComponents } from "../tunnel/tunnel-components.ts";
import { WorkQueue } from "../work-queue.ts";
import { desiredTunnel, type ServiceFilter } from "./desired.ts";
import type { HostNamePolicy } from "./host-names.ts";
import type { HostsPublisher } from "./hosts-publisher.ts";
import type { NamedTunnelComponents } from "./named-tunnel.ts";
import { ServedService, type ServedState } from "./served-service.ts";
import { type ServiceState, ServiceTable } from "./service-table.ts";

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

/** Follows the cache from `start` until it is disposed. */
export class Controller implements AsyncDisposable {
  readonly #components: ControllerComponents;
  readonly #options: ControllerOptions;
  readonly #queue: WorkQueue<ServiceKey>;
  readonly #table = new ServiceTable();
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
    return this.#table.states;
  }

  /** The services that have had connections, in any order. Cheap while few have. */
  get used(): readonly ServedState[] {
    return this.#table.used;
  }

  /** By namespace a pod that some service could send a connection to now. */
  readyPods(): ReadonlyMap<string, PodRef> {
    return this.#table.readyPods();
  }

  /** Connections that are open now, those among them that still look for a pod. */
  get connections(): number {
    let sum = 0;
    // Asked for again and again, and of thousands few have had any.
    for (const served of this.#table.served.values()) if (served.isUsed) sum += served.connections;
    return sum;
  }

  /** Ends the work and closes every tunnel. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#queue[Symbol.dispose]();
    await this.#running;
    const served = [...this.#table.served.keys()].map((key) => this.#table.withdraw(key));
    await Promise.all(served.map((one) => one?.[Symbol.asyncDispose]()));
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
    if (!this.#table.served.has(key)) this.#table.unserve(key, { kind: "failed", key, error });
  }

  async #reconcile(key: ServiceKey): Promise<void> {
    const { cache } = this.#components;
    const { filter } = this.#options;
    const seen = this.#table.served.get(key)?.seen;
    const desired = desiredTunnel(cache.services.get(key), cache.slicesOf(key), filter, seen);
    switch (desired.kind) {
      case "absent":
        await this.#withdraw(key);
        this.#table.unserve(key, undefined);
        return;
      case "skipped":
        await this.#withdraw(key);
        this.#table.unserve(key, { kind: "skipped", key, reason: desired.reason });
        return;
      case "tunnel":
        if (this.#table.served.get(key)?.isMisplaced) await this.#move(key);
        await (this.#table.served.get(key) ?? this.#serve(key)).update(desired, this.#stop.signal);
        return;
      default:
        desired satisfies never;
    }
  }

  /** @throws LocalizerError `unavailable` when no address is left */
  #serve(key: ServiceKey): ServedService {
    const served = new ServedService(this.#components, key, this.#options.names);
    this.#table.serve(key, served);
    this.#components.log.debug("Opening tunnel", { key, address: served.address });
    return served;
  }

  async #withdraw(key: ServiceKey): Promise<void> {
    const served = this.#table.withdraw(key);
    if (served === undefined) return;
    await served.withdraw();
    this.#components.log.debug("Closed tunnel", { key });
  }

  /** Its address stands by now on somebody else's line of the hosts file; it gets another when it is served again. */
  async #move(key: ServiceKey): Promise<void> {
    const address = this.#table.served.get(key)?.address;
    this.#components.log.warn("An address is somebody else's in the hosts file; the service moves", { key, address });
    await this.#withdraw(key);
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
    for (const key of changed === "all" ? [...this.#table.served.keys()] : [changed]) {
      const served = this.#table.served.get(key);
      // One that is not served computes its names when it is.
      if (served === undefined) continue;
      served.namesAreStale = true;
      this.#queue.add(key);
    }
  }
}
