/** What is somebody else's in the hosts file, as it stands there now: names and addresses that may come and go. */
import { readFile } from "node:fs/promises";
import { errnoOf, LocalizerError } from "../errors.ts";
import { hostsInstance } from "../helper/config.ts";
import { type ForeignHosts, foreignHosts } from "../hostsfile/foreign.ts";
import { defaultSocketLink } from "../model/socket-link.ts";
import type { DaemonOptions } from "./daemon-options.ts";

/** Somebody's names and addresses, and word of every change. */
export class ForeignNames {
  readonly names = { has: (name: string): boolean => this.#now.names.has(name) };
  readonly addresses = { has: (address: string): boolean => this.#addresses.has(address) };
  readonly #listeners = new Set<() => void>();
  #now: ForeignHosts;
  #addresses: ReadonlySet<string>;

  constructor(now: ForeignHosts) {
    this.#now = now;
    this.#addresses = now.addresses;
  }

  /** Says how it is now; tells the listeners when that is new. */
  set(now: ForeignHosts): void {
    if (sameSet(this.#now.names, now.names) && sameSet(this.#addresses, now.addresses)) return;
    this.#now = now;
    this.#addresses = now.addresses;
    for (const listener of [...this.#listeners]) listener();
  }

  /** The listener must not throw; disposing ends it. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }
}

/**
 * What the hosts file says at the start. A missing file has none.
 * @throws LocalizerError when the file cannot be read
 */
export async function foreignNamesOf(options: Pick<DaemonOptions, "hostsFile" | "socket">): Promise<ForeignNames> {
  const path = options.hostsFile ?? "/etc/hosts";
  try {
    return new ForeignNames(foreignHosts(await readFile(path), hostsInstance(options.socket ?? defaultSocketLink)));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return new ForeignNames({ names: new Set(), addresses: new Set() });
    throw LocalizerError.wrap(error, `Cannot read "${path}"`);
  }
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && a.isSubsetOf(b);
}
