/** An address with names and a tunnel behind it: a service's, or that of one pod of a headless service. */
import type { AddressBook } from "../addresses/address-book.ts";
import type { HostsEntry } from "../model/hosts-table.ts";
import type { LoopbackAddress } from "../model/loopback.ts";
import type { OwnerKey } from "../model/service-key.ts";
import { Tunnel } from "../tunnel/tunnel.ts";
import type { TunnelComponents, TunnelPortSpec, TunnelPortStatus } from "../tunnel/tunnel-components.ts";
import type { HostNames } from "./host-names.ts";

/** What a named tunnel works with. */
export interface NamedTunnelComponents extends TunnelComponents {
  readonly addresses: Pick<AddressBook, "allocate" | "release" | "isMisplaced">;
  readonly hosts: { set(owner: OwnerKey, entry: HostsEntry | undefined): void };
  /** Called when nothing listens on an address any more; must not throw. */
  readonly onReleased?: ((address: LoopbackAddress) => void) | undefined;
}

/** Has its address from its making on; `update` opens its ports, `publish` puts its names into the table. */
export class NamedTunnel implements AsyncDisposable {
  readonly #components: NamedTunnelComponents;
  readonly #owner: OwnerKey;
  readonly #tunnel: Tunnel;
  #names: HostNames;
  #isPublished = false;
  #specs: readonly TunnelPortSpec[] | undefined;

  /** @throws LocalizerError `unavailable` when no address is left */
  constructor(components: NamedTunnelComponents, owner: OwnerKey, names: HostNames) {
    this.#components = components;
    this.#owner = owner;
    this.#tunnel = new Tunnel(components, components.addresses.allocate(owner));
    this.#names = names;
  }

  get address(): LoopbackAddress {
    return this.#tunnel.address;
  }

  get names(): HostNames {
    return this.#names;
  }

  get ports(): readonly TunnelPortStatus[] {
    return this.#tunnel.ports;
  }

  /** There was a connection through it. */
  get isUsed(): boolean {
    return this.#tunnel.isUsed;
  }

  /** True when its address has become somebody else's: it has to be withdrawn and made anew. */
  get isMisplaced(): boolean {
    return this.#components.addresses.isMisplaced(this.#owner);
  }

  /** Other names for the same address. */
  rename(names: HostNames): void {
    this.#names = names;
    if (this.#isPublished) this.#setNames();
  }

  /** To be called when its ports are open, or it is known that they cannot be: who finds a name connects at once. */
  publish(): void {
    if (this.#isPublished) return;
    this.#isPublished = true;
    this.#setNames();
  }

  /** As `Tunnel.update`, but for specs that it has already nothing is done. */
  async update(specs: readonly TunnelPortSpec[], signal: AbortSignal): Promise<void> {
    if (sameSpecs(this.#specs, specs) && this.ports.every(({ bindError }) => bindError === undefined)) return;
    this.#specs = undefined;
    await this.#tunnel.update(specs, signal);
    this.#specs = specs;
  }

  /** Takes names, listeners and address back. */
  async withdraw(): Promise<void> {
    const { addresses, hosts, onReleased } = this.#components;
    hosts.set(this.#owner, undefined);
    await this.#tunnel[Symbol.asyncDispose]();
    addresses.release(this.#owner);
    onReleased?.(this.address);
  }

  /** Closes the listeners and no more: at the end the whole table goes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tunnel[Symbol.asyncDispose]();
  }

  #setNames(): void {
    this.#components.hosts.set(this.#owner, { address: this.address, names: this.#names.names });
  }
}

function sameSpecs(before: readonly TunnelPortSpec[] | undefined, now: readonly TunnelPortSpec[]): boolean {
  if (before?.length !== now.length) return false;
  return now.every((spec, index) => {
    const old = before[index];
    if (old?.port !== spec.port || old.affinityMs !== spec.affinityMs) return false;
    if (old.endpoints.length !== spec.endpoints.length) return false;
    return spec.endpoints.every(({ pod, port }, at) => {
      const other = old.endpoints[at];
      return other?.pod.uid === pod.uid && other.port === port && other.pod.name === pod.name;
    });
  });
}
