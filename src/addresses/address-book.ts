/**
 * addresses: which loopback address belongs to which service, and to which pod of a headless one. The same cluster,
 * namespace, service and pod get the same address on every machine and after every start, but for clashes, which take
 * the next free one and are remembered. Used by controller.
 */
import { createHash } from "node:crypto";
import { LocalizerError } from "../errors.ts";
import {
  addressAt,
  formatLoopbackRange,
  inRange,
  isKeptOut,
  type LoopbackAddress,
  type LoopbackRange,
  usableRange,
} from "../model/loopback.ts";
import type { OwnerKey } from "../model/service-key.ts";
import { AddressMemory } from "./address-memory.ts";

/** Settings of an address book. */
export interface AddressBookOptions {
  readonly range: LoopbackRange;
  /** The API server's URL as the kubeconfig has it: two clusters, two sets of addresses. */
  readonly clusterUrl: string;
  /** Says which addresses stand elsewhere in the hosts file and are somebody's; may say something else later. */
  readonly taken?: { has(address: string): boolean };
  /** What earlier clashes came to; without it only this book's own are known. */
  readonly memory?: AddressMemory;
}

/** Hands out addresses and takes them back. */
export class AddressBook {
  readonly #options: AddressBookOptions;
  readonly #usable: LoopbackRange;
  readonly #memory: AddressMemory;
  readonly #owners = new Map<LoopbackAddress, OwnerKey>();
  readonly #addresses = new Map<OwnerKey, LoopbackAddress>();

  constructor(options: AddressBookOptions) {
    this.#options = options;
    this.#memory = options.memory ?? new AddressMemory();
    // Cut before the hash, so that the services that would fall on the machine's part are spread too and do not queue up behind it.
    this.#usable = usableRange(options.range);
  }

  /**
   * The owner's address, the same until it is released, and after that unless its place was given away.
   * @throws LocalizerError `unavailable` when the range is used up
   */
  allocate(owner: OwnerKey): LoopbackAddress {
    const known = this.#addresses.get(owner);
    if (known !== undefined) return known;
    const address = this.#remembered(owner) ?? this.#firstFree(owner);
    this.#owners.set(address, owner);
    this.#addresses.set(owner, address);
    return address;
  }

  /** True when the owner's address has become somebody's: released and asked for again, it gets another one. */
  isMisplaced(owner: OwnerKey): boolean {
    const address = this.#addresses.get(owner);
    return address !== undefined && this.#options.taken?.has(address) === true;
  }

  /** The owner is gone; its address may be another's. */
  release(owner: OwnerKey): void {
    const address = this.#addresses.get(owner);
    if (address === undefined) return;
    this.#addresses.delete(owner);
    this.#owners.delete(address);
  }

  #remembered(owner: OwnerKey): LoopbackAddress | undefined {
    const address = this.#memory.addressOf(owner);
    return address !== undefined && inRange(this.#usable, address) && this.#isFree(address) ? address : undefined;
  }

  #firstFree(owner: OwnerKey): LoopbackAddress {
    const { size } = this.#usable;
    const start = size === 0 ? 0 : hashIndex(`${this.#options.clusterUrl}\n${owner.replaceAll("/", "\n")}`, size);
    let keptForAnother: LoopbackAddress | undefined;
    for (let step = 0; step < size; step++) {
      const address = addressAt(this.#usable, (start + step) % size);
      if (!this.#isFree(address)) continue;
      const keeper = this.#memory.ownerOf(address);
      if (keeper === undefined || keeper === owner) return this.#take(owner, address, step === 0);
      keptForAnother ??= address;
    }
    // An absent owner's claim ends where a present one would get nothing.
    if (keptForAnother !== undefined) {
      return this.#take(owner, keptForAnother, keptForAnother === addressAt(this.#usable, start));
    }
    const range = formatLoopbackRange(this.#options.range);
    const sentence = `Cannot find an address for "${owner}": no address is left of the ${size} in ${range}`;
    throw new LocalizerError("unavailable", sentence);
  }

  #take(owner: OwnerKey, address: LoopbackAddress, isOwnPlace: boolean): LoopbackAddress {
    if (isOwnPlace) this.#memory.forget(owner, address);
    else this.#memory.remember(owner, address);
    return address;
  }

  #isFree(address: LoopbackAddress): boolean {
    return !(this.#owners.has(address) || isKeptOut(address) || this.#options.taken?.has(address));
  }
}

/** The first 48 bits of the text's SHA-256, spread over `size` places. */
function hashIndex(text: string, size: number): number {
  return createHash("sha256").update(text).digest().readUIntBE(0, 6) % size;
}
