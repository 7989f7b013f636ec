/**
 * addresses: which loopback address belongs to which service. The same cluster, namespace and service get
 * the same address on every machine and after every start, but for clashes, which take the next free one.
 * Pure; used by controller.
 */
import { createHash } from "node:crypto";
import { LocalizerError } from "../errors.ts";
import { addressAt, type LoopbackAddress, type LoopbackRange } from "../model/loopback.ts";
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
  readonly #owners = new Map<LoopbackAddress, ServiceKey>();
  readonly #addresses = new Map<ServiceKey, LoopbackAddress>();

  constructor(options: AddressBookOptions) {
    this.#options = options;
  }

  /**
   * The service's address, the same until it is released.
   * @throws LocalizerError `unavailable` when the range is used up
   */
  allocate(key: ServiceKey): LoopbackAddress {
    const known = this.#addresses.get(key);
    if (known !== undefined) return known;
    const { range, clusterUrl } = this.#options;
    const start = hashIndex(`${clusterUrl}\n${key.replace("/", "\n")}`, range.size);
    for (let step = 0; step < range.size; step++) {
      const address = addressAt(range, (start + step) % range.size);
      if (this.#owners.has(address) || this.#isKeptOut(address)) continue;
      this.#owners.set(address, key);
      this.#addresses.set(key, address);
      return address;
    }
    const first = addressAt(range, 0);
    const sentence = `Cannot find an address for "${key}": no address is left of ${range.size} from ${first}`;
    throw new LocalizerError("unavailable", sentence);
  }

  /** The service is gone; its address may be another's. */
  release(key: ServiceKey): void {
    const address = this.#addresses.get(key);
    if (address === undefined) return;
    this.#addresses.delete(key);
    this.#owners.delete(address);
  }

  /** 127.0.0.0/16 belongs to the machine (localhost, resolvers, Debian's 127.0.1.1); x.255 at the end is a broadcast. */
  #isKeptOut(address: LoopbackAddress): boolean {
    const machines = address.startsWith("127.0.") || address === "127.255.255.255";
    return machines || this.#options.taken?.has(address) === true;
  }
}

/** The first 48 bits of the text's SHA-256, spread over `size` places. */
function hashIndex(text: string, size: number): number {
  return createHash("sha256").update(text).digest().readUIntBE(0, 6) % size;
}
