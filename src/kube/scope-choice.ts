/**
 * Which namespaces ClusterCache follows: all, or some while the rights allow no more. A refusal is not for ever: rights are
 * given, and servers that are just starting refuse what they will soon allow.
 */
import { type Clock, withTimeout } from "../clock.ts";
import type { LocalizerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { ServiceWatches } from "./service-watches.ts";

/** What the cache follows. */
export interface CacheScope {
  /** All when undefined. */
  readonly namespaces: readonly string[] | undefined;
  /** Why it is not all, when that was not asked for: the server's refusal. */
  readonly because: LocalizerError | undefined;
}

/** What the choice is made from. */
export interface ScopeOptions {
  /** Those to follow; all when undefined. */
  readonly namespaces?: readonly string[] | undefined;
  /** Those to follow instead when not all may be listed. When empty, there is no choice. */
  readonly fallbackNamespaces: readonly string[];
}

/** What a choice works with. */
export interface ScopeComponents {
  readonly clock: Clock;
  readonly log: Logger;
  /** Throws while not all namespaces may be listed. */
  readonly probe: (signal: AbortSignal) => Promise<void>;
  /** Called after the scope has changed. */
  readonly onChange: () => void;
  /** In [0, 1); Math.random unless given. */
  readonly random?: () => number;
}

/**
 * A server that is just starting refuses what it will soon allow, as it does not know its roles yet. What worked before
 * has to be denied for so long before all other namespaces are given up.
 */
const patienceMs = 60_000;
/** How often the rights are looked at while they are too few, give or take a fifth. */
const probeMs = 5 * 60_000;
const probeTimeoutMs = 15_000;

/** Chooses from its making to its disposal. */
export class ScopeChoice implements Disposable {
  readonly #components: ScopeComponents;
  readonly #options: ScopeOptions;
  readonly #stopping = new AbortController();
  #because: LocalizerError | undefined;
  #patience: Disposable | undefined;
  #probing: Disposable | undefined;

  constructor(components: ScopeComponents, options: ScopeOptions) {
    this.#components = components;
    this.#options = options;
  }

  /** The choice as it is now. */
  get scope(): CacheScope {
    const { namespaces, fallbackNamespaces } = this.#options;
    if (this.#because === undefined) return { namespaces, because: undefined };
    return { namespaces: [...new Set(fallbackNamespaces)], because: this.#because };
  }

  /**
   * Looks at the watches of the present choice, which is to be done at each of their changes. True when it fell back for
   * that reason; what worked before is given some time.
   */
  look(watches: Pick<ServiceWatches, "statuses" | "hasWorked">): boolean {
    const { namespaces, fallbackNamespaces } = this.#options;
    if (namespaces !== undefined || fallbackNamespaces.length === 0 || this.#because !== undefined) return false;
    const denial = denialOf(watches);
    if (denial === undefined) {
      this.#endPatience();
      return false;
    }
    if (watches.hasWorked) {
      const fallBack = () => this.#fallBack(denialOf(watches) ?? denial);
      this.#patience ??= this.#components.clock.after(patienceMs, fallBack);
      return false;
    }
    this.#fallBack(denial);
    return true;
  }

  /** Changes nothing any more. */
  [Symbol.dispose](): void {
    this.#endPatience();
    this.#probing?.[Symbol.dispose]();
    this.#stopping.abort();
  }

  #endPatience(): void {
    this.#patience?.[Symbol.dispose]();
    this.#patience = undefined;
  }

  #fallBack(because: LocalizerError): void {
    this.#endPatience();
    this.#because = because;
    const namespaces = this.scope.namespaces?.join(",");
    this.#components.log.info("May not list Services in all namespaces, so following some", {
      namespaces,
      error: because,
    });
    this.#probeLater();
    this.#components.onChange();
  }

  #probeLater(): void {
    const { clock, random = Math.random } = this.#components;
    this.#probing = clock.after(probeMs * (0.8 + 0.4 * random()), () => void this.#probe());
  }

  async #probe(): Promise<void> {
    const { clock, probe, log, onChange } = this.#components;
    const { signal } = this.#stopping;
    try {
      await withTimeout(clock, { action: "Cannot probe", timeoutMs: probeTimeoutMs, signal }, probe);
    } catch (error) {
      log.debug("May still not list Services in all namespaces", { error });
      if (!signal.aborted) this.#probeLater();
      return;
    }
    if (signal.aborted) return;
    this.#because = undefined;
    log.info("May list Services in all namespaces now, so following all");
    onChange();
  }
}

/** Why one of the watches lacks the right. Not known to the server at all is no lack of rights. */
function denialOf({ statuses }: Pick<ServiceWatches, "statuses">): LocalizerError | undefined {
  return statuses.map(({ lastError }) => lastError).find((error) => error?.code === "denied");
}
