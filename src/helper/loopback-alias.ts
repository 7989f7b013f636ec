/**
 * Addresses on the loopback interface: macOS has 127.0.0.1 only, and each further one is an alias that somebody must add; on
 * Linux all of 127.0.0.0/8 is there. Promises that an alias stands in the journal before it is made, so that a crash leaves
 * none that the next start does not know, and that an address which was there already is never removed.
 */
import { LocalizerError } from "../errors.ts";
import type { LoopbackAddress } from "../model/loopback.ts";
import type { HelperSystem } from "./system-commands.ts";

const ifconfig = "/sbin/ifconfig";

/** One helper's aliases. Calls must not overlap. */
export class LoopbackAliases {
  readonly #system: HelperSystem;
  readonly #journal: () => Promise<void>;
  readonly #made = new Set<string>();

  /** @param journal writes down what `made` says; called before an alias is made and after it is gone */
  constructor(system: HelperSystem, journal: () => Promise<void>) {
    this.#system = system;
    this.#journal = journal;
  }

  /** Those that this helper has made, or is about to. */
  get made(): readonly string[] {
    return [...this.#made];
  }

  /** Sees to it that the address can be bound. @throws LocalizerError `unavailable` when the system refuses */
  async ensure(address: LoopbackAddress): Promise<void> {
    const { platform, run, loopbackAddresses } = this.#system;
    if (platform !== "darwin" || this.#made.has(address) || loopbackAddresses().has(address)) return;
    this.#made.add(address);
    await this.#journal();
    try {
      await run(ifconfig, ["lo0", "alias", address, "255.255.255.255"]);
    } catch (error) {
      // It stays in the journal: whether it was made is not known.
      throw LocalizerError.wrap(error, `Cannot add address ${address} to the loopback interface`, "unavailable");
    }
  }

  /** Takes the alias back, if it is one of this helper's. @throws LocalizerError `unavailable` when the system refuses */
  async release(address: string): Promise<void> {
    if (!this.#made.has(address)) return;
    await this.#remove(address);
    this.#made.delete(address);
    await this.#journal();
  }

  /** Takes all back; what cannot be taken back stays in the journal, and the first failure is thrown. */
  async releaseAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const address of this.made) {
      await this.#remove(address).then(
        () => this.#made.delete(address),
        (error: unknown) => failures.push(error),
      );
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Removes what the journal of a dead helper names, but for those `inUse`. Resolves to how many there were. */
  async tidy(recorded: readonly string[], inUse: ReadonlySet<string>): Promise<number> {
    const present = this.#system.platform === "darwin" ? this.#system.loopbackAddresses() : new Set<string>();
    const left = recorded.filter((address) => present.has(address) && !inUse.has(address) && !this.#made.has(address));
    for (const address of left) await this.#remove(address);
    return left.length;
  }

  async #remove(address: string): Promise<void> {
    // A restart of the interface may have taken it already.
    if (!this.#system.loopbackAddresses().has(address)) return;
    try {
      await this.#system.run(ifconfig, ["lo0", "-alias", address]);
    } catch (error) {
      throw LocalizerError.wrap(error, `Cannot remove address ${address} from the loopback interface`, "unavailable");
    }
  }
}
