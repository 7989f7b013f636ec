/**
 * Whether a bare name is somebody's already where this machine is: asked of DNS itself, through c-ares. The system's own
 * getaddrinfo would read our hosts block, and block the thread pool when a server is silent.
 * Each name is asked once, eight at once; a resolver that does not answer has no such name.
 */

import { Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { type Clock, withTimeout } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { isHostName } from "../model/host-name.ts";
import { isKeptOut, isLoopbackAddress } from "../model/loopback.ts";
import { searchDomains } from "./resolv-conf.ts";

/** The part of a DNS resolver that it takes to know whether a name has an address; rejects when it has none. */
export interface NameResolver {
  resolve4(name: string): Promise<readonly string[]>;
  resolve6(name: string): Promise<readonly string[]>;
  /** Ends all questions. */
  cancel(): void;
}

/** For one name, all search domains together. */
const timeoutMs = 1_000;
const maxQuestions = 8;
/** After so many silences in a row nobody is asked for a while: a thousand names shall not take minutes. */
const maxSilences = 8;
const silenceMs = 30_000;

/** Asks and keeps the answers. */
export class SystemNames implements Disposable {
  readonly #resolver: NameResolver;
  readonly #clock: Clock;
  readonly #search: readonly string[];
  readonly #answers = new Map<string, boolean | undefined>();
  readonly #queue = new Set<string>();
  readonly #listeners = new Set<(name: string) => void>();
  readonly #stop = new AbortController();
  #asking = 0;
  #silences = 0;
  #silentUntil = Number.NEGATIVE_INFINITY;

  constructor(components: { resolver: NameResolver; clock: Clock }, options: { search: readonly string[] }) {
    this.#resolver = components.resolver;
    this.#clock = components.clock;
    this.#search = options.search;
  }

  /** What is known of the name; the first call asks, and `onAnswer` tells when undefined has become an answer. */
  resolvesElsewhere(name: string): boolean | undefined {
    if (!this.#answers.has(name) && !this.#stop.signal.aborted) {
      this.#answers.set(name, undefined);
      this.#queue.add(name);
      this.#askNext();
    }
    return this.#answers.get(name);
  }

  /** True when no question is open. */
  get settled(): boolean {
    return this.#asking === 0 && this.#queue.size === 0;
  }

  /** Tells the listener every name that was answered. It must not throw; disposing ends it. */
  onAnswer(listener: (name: string) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#queue.clear();
    this.#resolver.cancel();
  }

  #askNext(): void {
    for (const name of this.#queue) {
      if (this.#asking >= maxQuestions) return;
      this.#queue.delete(name);
      this.#asking++;
      void this.#ask(name).then((answer) => {
        this.#asking--;
        if (this.#stop.signal.aborted) return;
        this.#answers.set(name, answer);
        // First the next question: whoever is told may look at `settled`.
        this.#askNext();
        for (const listener of [...this.#listeners]) listener(name);
      });
    }
  }

  /** Never rejects. */
  async #ask(name: string): Promise<boolean> {
    if (this.#clock.monotonic() < this.#silentUntil) return false;
    const action = `Cannot resolve "${name}"`;
    try {
      const found = await withTimeout(this.#clock, { action, timeoutMs, signal: this.#stop.signal }, (signal) =>
        this.#isFound([...this.#search.map((domain) => `${name}.${domain}`), name].filter(isHostName), signal),
      );
      this.#silences = 0;
      return found;
    } catch {
      if (++this.#silences >= maxSilences) {
        this.#silences = 0;
        this.#silentUntil = this.#clock.monotonic() + silenceMs;
      }
      return false;
    }
  }

  /** @throws whatever the resolver does when no answer came for any of the names */
  async #isFound(names: readonly string[], signal: AbortSignal): Promise<boolean> {
    let silence: unknown;
    let hasAnswer = false;
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

/** The machine's resolver, its search list and its clock. */
export async function openSystemNames(clock: Clock, env: NodeJS.ProcessEnv): Promise<SystemNames> {
  const text = await readFile("/etc/resolv.conf", "utf8").catch(() => "");
  const search = searchDomains(text, { hostname: hostname(), localDomain: env.LOCALDOMAIN });
  return new SystemNames({ resolver: new Resolver({ timeout: timeoutMs, tries: 1 }), clock }, { search });
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

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new LocalizerError("aborted", "Stopped"));
    signal.addEventListener("abort", stop, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
