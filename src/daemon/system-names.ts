/**
 * Whether a bare name is somebody's already where this machine is: asked of DNS itself, through c-ares. The system's own
 * getaddrinfo would read our hosts block, and block the thread pool when a server is silent.
 * New names are asked eight at once. A resolver that does not answer leaves a name free for now; it is asked again later. So
 * are, one after the other, those whose answer is old, for as long as they are in use.
 */

import { Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import type { Clock } from "../clock.ts";
import { type NameResolver, NameSearch } from "./name-search.ts";
import { searchDomains } from "./resolv-conf.ts";

/** How many new names are asked for at once. */
const maxQuestions = 8;
/** For one name, all search domains together. */
const timeoutMs = 1_000;
/** So often is looked for names that have to be asked again, or that nobody uses any more. */
const sweepMs = 60_000;
/** An answer is good for so long: the user joins a VPN, or leaves it. */
const freshMs = 10 * 60_000;

interface Known {
  /** Undefined before the first answer; false also after silence. */
  answer: boolean | undefined;
  /** On the monotonic clock; of silence, as long ago as makes it old at the next look. */
  atMs: number;
}

/** Asks and keeps the answers, until they are old or `isInUse` says that nobody wants them. */
export class SystemNames implements Disposable {
  readonly #clock: Clock;
  readonly #search: NameSearch;
  readonly #isInUse: (name: string) => boolean;
  readonly #known = new Map<string, Known>();
  /** New names first, old ones only when no new one waits. */
  readonly #queue = new Set<string>();
  readonly #old = new Set<string>();
  readonly #listeners = new Set<(name: string) => void>();
  #asking = 0;
  #isAskingOld = false;
  #isStopped = false;
  #sweeping: Disposable | undefined;

  constructor(
    components: { readonly resolver: NameResolver; readonly clock: Clock },
    options: { readonly search: readonly string[]; readonly isInUse: (name: string) => boolean },
  ) {
    this.#clock = components.clock;
    this.#search = new NameSearch(components, { search: options.search, timeoutMs });
    this.#isInUse = options.isInUse;
  }

  /** What is known of the name; the first call asks, and `onAnswer` tells when the answer comes or becomes another. */
  resolvesElsewhere(name: string): boolean | undefined {
    const known = this.#known.get(name);
    if (known !== undefined || this.#isStopped) return known?.answer;
    this.#known.set(name, { answer: undefined, atMs: this.#clock.monotonic() });
    this.#sweeping ??= this.#clock.after(sweepMs, () => this.#sweep());
    this.#queue.add(name);
    this.#askNext();
    return undefined;
  }

  /** True when no name waits for its first answer. */
  get settled(): boolean {
    return this.#asking === 0 && this.#queue.size === 0;
  }

  /** Tells the listener every name that was answered anew. It must not throw; disposing ends it. */
  onAnswer(listener: (name: string) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  [Symbol.dispose](): void {
    this.#isStopped = true;
    this.#sweeping?.[Symbol.dispose]();
    this.#queue.clear();
    this.#old.clear();
    this.#search[Symbol.dispose]();
  }

  #askNext(): void {
    for (const name of this.#queue) {
      if (this.#asking >= maxQuestions) return;
      this.#queue.delete(name);
      this.#asking++;
      void this.#ask(name, () => this.#asking--);
    }
    const [old] = this.#old;
    if (old === undefined || this.#isAskingOld || this.#asking > 0) return;
    this.#old.delete(old);
    this.#isAskingOld = true;
    void this.#ask(old, () => {
      this.#isAskingOld = false;
    });
  }

  /** Never rejects. */
  async #ask(name: string, ended: () => void): Promise<void> {
    const answer = await this.#search.isFound(name);
    ended();
    if (this.#isStopped) return;
    const before = this.#known.get(name)?.answer;
    // Silence is no answer: what was known stays, and what was not is free until somebody says otherwise.
    const now = answer ?? before ?? false;
    const atMs = this.#clock.monotonic() - (answer === undefined ? freshMs : 0);
    this.#known.set(name, { answer: now, atMs });
    // First the next question: whoever is told may look at `settled`.
    this.#askNext();
    if (now !== before) for (const listener of [...this.#listeners]) listener(name);
  }

  #sweep(): void {
    const now = this.#clock.monotonic();
    for (const [name, { answer, atMs }] of this.#known) {
      if (answer === undefined) continue;
      if (!this.#isInUse(name)) {
        this.#known.delete(name);
        this.#old.delete(name);
      } else if (now - atMs >= freshMs) this.#old.add(name);
    }
    this.#sweeping = this.#known.size === 0 ? undefined : this.#clock.after(sweepMs, () => this.#sweep());
    this.#askNext();
  }
}

/** The machine's resolver, its search list and its clock. `isInUse` says whether a service wants the name. */
export async function openSystemNames(
  clock: Clock,
  { env, isInUse }: { readonly env: NodeJS.ProcessEnv; readonly isInUse: (name: string) => boolean },
): Promise<SystemNames> {
  const text = await readFile("/etc/resolv.conf", "utf8").catch(() => "");
  const search = searchDomains(text, { hostname: hostname(), localDomain: env.LOCALDOMAIN });
  return new SystemNames({ resolver: new Resolver({ timeout: timeoutMs, tries: 1 }), clock }, { search, isInUse });
}
