/**
 * addresses: which loopback address belongs to which service. The same cluster, namespace and service get
 * the same address on every machine and after every start, but for clashes, which take the next free one.
 * Pure; used by controller.
 */
import { createHash } from "node:crypto";
import { LocalizerError } from "../errors.ts";
import { addressAt, isKeptOut, type LoopbackAddress, type LoopbackRange, usableRange } from "../model/loopback.ts";
import type { ServiceKey } from "../model/service-key.ts";

/** Settings of an address book. */
export interface AddressBookOptions {
  readonly range: LoopbackRange;
  /** The API server's URL as the kubeconfig has it: two clusters, two sets of addresses. */
  readonly clusterUrl: string;
  /** Addresses that stand elsewhere in the hosts file and are somebody's. */
  readonly taken?: ReadonlySet<string>;
}

/** Hands out addresses and takes them back. */
export class AddressBook {
  readonly #options: AddressBookOptions;
  readonly #usable: LoopbackRange;
  readonly #owners = new Map<LoopbackAddress, ServiceKey>();
  readonly #addresses = new Map<ServiceKey, LoopbackAddress>();

  constructor(options: AddressBookOptions) {
    this.#options = options;
    // Cut before the hash, so that the services that would fall on the machine's part are spread too and do not queue up behind it.
    this.#usable = usableRange(options.range);
  }

  /**
   * The service's address, the same until it is released.
   * @throws LocalizerError `unavailable` when the range is used up
   */
  allocate(key: ServiceKey): LoopbackAddress {
    const known = this.#addresses.get(key);
    if (known !== undefined) return known;
    const range = this.#usable;
    const start = hashIndex(`${this.#options.clusterUrl}\n${key.replace("/", "\n")}`, range.size);
    for (let step = 0; step < range.size; step++) {
      const address = addressAt(range, (start + step) % range.size);
      if (this.#owners.has(address) || isKeptOut(address) || this.#options.taken?.has(address)) continue;
      this.#owners.set(address, key);
      this.#addresses.set(key, address);
      return address;
    }
    const { range: asked } = this.#options;
    const sentence = `Cannot find an address for "${key}": no address is left of ${asked.size} from ${addressAt(asked, 0)}`;
    throw new LocalizerError("unavailable", sentence);
  }

  /** The service is gone; its address may be another's. */
  release(key: ServiceKey): void {
    const address = this.#addresses.get(key);
    if (address === undefined) return;
    this.#addresses.delete(key);
    this.#owners.delete(address);
  }
}

/** The first 48 bits of the text's SHA-256, spread over `size` places. */
function hashIndex(text: string, size: number): number {
  return createHash("sha256").update(text).digest().readUIntBE(0, 6) % size;
}
