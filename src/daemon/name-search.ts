/** One question to DNS: whether a bare name has an address, as it is or below a search domain. */
import { type Clock, unlessAborted, withTimeout } from "../clock.ts";
import { isHostName } from "../model/host-name.ts";
import { isKeptOut, isLoopbackAddress } from "../model/loopback.ts";

/** The part of a DNS resolver that it takes to know whether a name has an address; rejects when it has none. */
export interface NameResolver {
  resolve4(name: string): Promise<readonly string[]>;
  resolve6(name: string): Promise<readonly string[]>;
  /** Ends all questions. */
  cancel(): void;
}

/** After so many silences in a row nobody is asked for a while: a thousand names shall not take minutes. */
const maxSilences = 8;
const silenceMs = 30_000;

/** Asks a resolver; disposing cancels what is asked. */
export class NameSearch implements Disposable {
  readonly #resolver: NameResolver;
  readonly #clock: Clock;
  readonly #options: { readonly search: readonly string[]; readonly timeoutMs: number };
  readonly #stop = new AbortController();
  #silences = 0;
  #silentUntil = Number.NEGATIVE_INFINITY;

  /** @param options.timeoutMs for one name, all search domains together */
  constructor(
    { resolver, clock }: { readonly resolver: NameResolver; readonly clock: Clock },
    options: { readonly search: readonly string[]; readonly timeoutMs: number },
  ) {
    this.#resolver = resolver;
    this.#clock = clock;
    this.#options = options;
  }

  /** Whether it has an address that is not ours; undefined when nobody answered. Never rejects. */
  async isFound(name: string): Promise<boolean | undefined> {
    if (this.#clock.monotonic() < this.#silentUntil) return undefined;
    const { search, timeoutMs } = this.#options;
    const options = { action: `Cannot resolve "${name}"`, timeoutMs, signal: this.#stop.signal };
    try {
      const names = [...search.map((domain) => `${name}.${domain}`), name].filter(isHostName);
      const found = await withTimeout(this.#clock, options, (signal) => this.#isAnyFound(names, signal));
      this.#silences = 0;
      return found;
    } catch {
      if (++this.#silences >= maxSilences) {
        this.#silences = 0;
        this.#silentUntil = this.#clock.monotonic() + silenceMs;
      }
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#resolver.cancel();
  }

  /** @throws whatever the resolver does when no answer came for any of the names */
  async #isAnyFound(names: readonly string[], signal: AbortSignal): Promise<boolean> {
    let silence: unknown;
    let hasAnswer = names.length === 0;
    for (const name of names) {
      const both = await unlessAborted(
        Promise.allSettled([this.#resolver.resolve4(name), this.#resolver.resolve6(name)]),
        signal,
      );
      for (const result of both) {
        if (result.status === "fulfilled" && !result.value.every(isOurs)) return true;
        if (result.status === "fulfilled" || isNoSuchName(result.reason)) hasAnswer = true;
        else silence = result.reason;
      }
    }
    if (!hasAnswer) throw silence;
    return false;
  }
}

/** Some resolvers on the machine read the hosts file (systemd-resolved, dnsmasq): what they tell is what we wrote. */
function isOurs(address: string): boolean {
  return isLoopbackAddress(address) && !isKeptOut(address);
}

/** Node's codes for NXDOMAIN and for a name without such a record (node:dns, "Error codes"). */
function isNoSuchName(error: unknown): boolean {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  return code === "ENOTFOUND" || code === "ENODATA";
}
