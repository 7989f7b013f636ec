/**
 * The searches for an engine that are under way. Promises that a pod's own failure holds nobody else up for long, and that
 * connections made at once share one search. Used by choose-engine.
 */
import { LocalizerError } from "../errors.ts";
import type { PodRef } from "../model/endpoint.ts";
import type { EngineName } from "../model/engine-name.ts";
import type { Port } from "../model/port.ts";
import type { EngineMemory } from "./engine-memory.ts";
import { type Found, type Search, searchEngine } from "./engine-search.ts";
import { failure, type RefusedEngine } from "./try-engine.ts";
import type { Upgraded, UpgradeParts } from "./upgrade.ts";

/** So long a search for another pod is waited for: it may be a pod on a dead node. */
const othersSearchMs = 1_000;

/** What a caller wants. */
export interface Wish {
  readonly pod: PodRef;
  readonly signal: AbortSignal;
  /** For `v4`; without it one that no pod listens on. */
  readonly port?: Port;
}

/** A connection, and what made it. */
export interface Opened {
  readonly engine: EngineName;
  readonly upgraded: Upgraded;
}

/** What it works with. */
export interface EngineSearchesParts {
  readonly upgrades: UpgradeParts;
  readonly memory: EngineMemory;
  /** Called when a search has found one, unless all was forgotten meanwhile, before anybody hears of it. */
  readonly remember: (pod: PodRef, found: Found) => void;
}

/** Those of one cluster. Disposing it ends them. */
export class EngineSearches implements AsyncDisposable {
  readonly #parts: EngineSearchesParts;
  readonly #stop = new AbortController();
  /** One for a pod; by UID. They have been remembered when they end. */
  readonly #byPod = new Map<string, Promise<Search>>();
  /** Tells who waits of the next search that ends. */
  #next = Promise.withResolvers<Search | undefined>();

  constructor(parts: EngineSearchesParts) {
    this.#parts = parts;
  }

  /**
   * By the search for this pod, or by what a search for another one finds out in good time. Undefined when the engine is
   * known now, or has to be asked for anew.
   * @throws LocalizerError when none works
   */
  async find(wish: Wish, refused?: RefusedEngine): Promise<Opened | undefined> {
    const { pod, signal } = wish;
    const { clock } = this.#parts.upgrades;
    const patientUntilMs = clock.monotonic() + othersSearchMs;
    for (;;) {
      const own = this.#byPod.get(pod.uid);
      const waitMs = patientUntilMs - clock.monotonic();
      if (own === undefined && (this.#byPod.size === 0 || waitMs <= 0)) return await this.#start(wish, refused);
      const search = await (own === undefined ? this.#nextSearch(waitMs, signal) : unlessAborted(own, signal));
      const isForThis = own !== undefined || (search?.kind === "failed" && search.isEverywhere);
      if (search?.kind === "failed" && isForThis) throw failure(pod, search.refused, search.error);
      if (search?.kind === "found" && this.#parts.memory.engineFor(pod) !== undefined) return undefined;
    }
  }

  /** Nobody is to wait for what is under way: all was forgotten. */
  reset(): void {
    this.#byPod.clear();
    this.#tell(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#byPod.values());
  }

  async #start({ pod, signal }: Wish, refused: RefusedEngine | undefined): Promise<Opened | undefined> {
    const { memory, remember, upgrades } = this.#parts;
    const { round } = memory;
    // Not with the caller's signal: others wait for it too, and what is found is of use though the caller has left.
    const searching = searchEngine(upgrades, pod, { signal: this.#stop.signal, refused }).then((search) => {
      if (this.#byPod.get(pod.uid) === searching) this.#byPod.delete(pod.uid);
      if (memory.round === round) {
        if (search.kind === "found") remember(pod, search);
        this.#tell(search);
      }
      // Nobody may be there any more who would.
      if (signal.aborted && search.kind === "found") search.upgraded.socket.destroy();
      return search;
    });
    this.#byPod.set(pod.uid, searching);
    const search = await unlessAborted(searching, signal);
    if (search.kind === "failed") throw failure(pod, search.refused, search.error);
    // It may have died while a better one was tried. Of `v4` it is closed in any case.
    const isDead = search.engine !== "v4" && search.upgraded.socket.destroyed;
    if (memory.round === round && !isDead) return search;
    search.upgraded.socket.destroy();
    return undefined;
  }

  /** What the next search to end says; undefined when none does in this time. */
  async #nextSearch(ms: number, signal: AbortSignal): Promise<Search | undefined> {
    const timeUp = Promise.withResolvers<undefined>();
    using _timer = this.#parts.upgrades.clock.after(ms, () => timeUp.resolve(undefined));
    return await unlessAborted(Promise.race([this.#next.promise, timeUp.promise]), signal);
  }

  #tell(search: Search | undefined): void {
    this.#next.resolve(search);
    this.#next = Promise.withResolvers();
  }
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(LocalizerError.from(signal.reason, "aborted"));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
