/**
 * Which owners have an address that is not the one their hash asks for, so that they get it again whatever the
 * order in which services come. Pure; what keeps it over a restart is the address file.
 */
import type { LoopbackAddress } from "../model/loopback.ts";
import type { OwnerKey } from "../model/service-key.ts";

/** One owner and the address that it was moved to. */
export type MovedAddress = readonly [owner: OwnerKey, address: LoopbackAddress];

/** So many owners are remembered; a cluster of 5,000 services has a handful that clash. */
const defaultLimit = 10_000;

/** Owners and addresses, one to one; beyond its limit the owner that was asked for least recently is forgotten. */
export class AddressMemory {
  readonly #limit: number;
  readonly #addresses = new Map<OwnerKey, LoopbackAddress>();
  readonly #owners = new Map<LoopbackAddress, OwnerKey>();
  readonly #listeners = new Set<() => void>();

  /** `entries` stand oldest first; of two that disagree the later one counts. */
  constructor(entries: Iterable<MovedAddress> = [], { limit = defaultLimit } = {}) {
    this.#limit = limit;
    for (const [owner, address] of entries) this.#put(owner, address);
  }

  /** What is remembered, oldest first. */
  get entries(): readonly MovedAddress[] {
    return [...this.#addresses];
  }

  /** The address that the owner was moved to, if it was. The owner counts as used. */
  addressOf(owner: OwnerKey): LoopbackAddress | undefined {
    const address = this.#addresses.get(owner);
    // A Map keeps the order of insertion: last in is the youngest.
    if (address !== undefined && this.#addresses.delete(owner)) this.#addresses.set(owner, address);
    return address;
  }

  /** For whom the address is kept, if for anybody. */
  ownerOf(address: LoopbackAddress): OwnerKey | undefined {
    return this.#owners.get(address);
  }

  /** The owner has this address from now on, and nobody else is to have it. */
  remember(owner: OwnerKey, address: LoopbackAddress): void {
    if (this.#addresses.get(owner) === address) return;
    this.#put(owner, address);
    this.#report();
  }

  /** The address is its owner's own place: nothing of that owner or of that address is to be remembered. */
  forget(owner: OwnerKey, address: LoopbackAddress): void {
    const other = this.#owners.get(address);
    const had = this.#drop(owner);
    if ((other !== undefined && this.#drop(other)) || had) this.#report();
  }

  /** Tells the listener of every change of what is remembered. Disposing ends it. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  #put(owner: OwnerKey, address: LoopbackAddress): void {
    this.#drop(owner);
    const other = this.#owners.get(address);
    if (other !== undefined) this.#drop(other);
    this.#addresses.set(owner, address);
    this.#owners.set(address, owner);
    for (const oldest of this.#addresses.keys()) {
      if (this.#addresses.size <= this.#limit) break;
      this.#drop(oldest);
    }
  }

  #drop(owner: OwnerKey): boolean {
    const address = this.#addresses.get(owner);
    if (address === undefined) return false;
    this.#addresses.delete(owner);
    this.#owners.delete(address);
    return true;
  }

  #report(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
