/**
 * What is known of port-forwarding in this cluster, namespace by namespace, for rights differ by it: from the connections that
 * were tried and from probes. One upgrade for each namespace with a ready pod, after the start, when it gets its first one and
 * after each change of credentials, and again now and then where it was refused, so that a right that was granted heals by itself.
 */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { type Logger, silentLogger } from "../log.ts";
import type { PodRef } from "../model/endpoint.ts";
import type { DialPod } from "../portforward/dial-pod.ts";
import { shortRefusal } from "./short-refusal.ts";

/** So often it looks for namespaces that have got their first ready pod. */
const lookMs = 5_000;

/** After a refusal, and at most after attempts that said nothing: a right is granted by people. */
const refusedRetryMs = 60_000;

/** Probes at once: a cluster may have hundreds of namespaces. */
const atOnce = 4;

/** A refusal, and the pod that it was about. */
interface Refusal {
  readonly error: LocalizerError;
  readonly pod: PodRef;
  retryAtMs: number;
}

/** Attempts that said nothing about rights. */
interface Silence {
  readonly waitMs: number;
  readonly retryAtMs: number;
}

/** A pod of each namespace that has one to probe now. */
export type ReadyPods = () => ReadonlyMap<string, PodRef>;

/** Probes under way. Disposing ends them. */
export interface Probing extends AsyncDisposable {
  /** Resolves when each namespace that had a ready pod at the beginning was probed once, or it was disposed. */
  readonly firstRound: Promise<void>;
}

/** Watches dialers, and probes where nothing is known. */
export class PortForwardHealth {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #works = new Set<string>();
  readonly #denied = new Map<string, Refusal>();
  readonly #silent = new Map<string, Silence>();
  /** Who is not known at all is so everywhere. */
  #unauthenticated: Refusal | undefined;
  #pause = new AbortController();
  /** Counts resets: an attempt that began before one says nothing about what is now. */
  #generation = 0;

  constructor(clock: Clock, log: Logger = silentLogger()) {
    this.#clock = clock;
    this.#log = log;
  }

  /** True once an upgrade has succeeded in the namespace, with the credentials of now, and none was refused since. */
  worksIn(namespace: string): boolean {
    return this.#works.has(namespace);
  }

  /**
   * The API server's refusal in short, if the last attempt in the namespace was refused: `denied` for lack of rights, or
   * `unauthenticated`, which holds for all namespaces.
   */
  deniedIn(namespace: string): LocalizerError | undefined {
    return (this.#unauthenticated ?? this.#denied.get(namespace))?.error;
  }

  /** The same dialer, watched. */
  watch(dial: DialPod): DialPod {
    return (endpoint, signal) => this.#observe(endpoint.pod, () => dial(endpoint, signal));
  }

  /** Call it when the credentials have changed: what was known held for others, so it is asked anew, at once. */
  reset(): void {
    this.#generation++;
    this.#works.clear();
    this.#silent.clear();
    this.#unauthenticated = undefined;
    for (const refusal of this.#denied.values()) refusal.retryAtMs = this.#clock.monotonic();
    this.#pause.abort();
  }

  /** Probes a ready pod of each namespace, as soon as it has one, until it is known whether port-forwarding works there. */
  keepProbing(readyPods: ReadyPods, probe: (pod: PodRef, signal: AbortSignal) => Promise<void>): Probing {
    const stop = new AbortController();
    const first = Promise.withResolvers<void>();
    const running = this.#probe(readyPods, (pod) => probe(pod, stop.signal), stop.signal, first.resolve);
    return {
      firstRound: first.promise,
      async [Symbol.asyncDispose]() {
        stop.abort();
        await running;
      },
    };
  }

  async #probe(
    readyPods: ReadyPods,
    probe: (pod: PodRef) => Promise<void>,
    stop: AbortSignal,
    roundOver: () => void,
  ): Promise<void> {
    while (!stop.aborted) {
      // Made before anything is looked at: what changes meanwhile ends the pause before it begins.
      this.#pause = new AbortController();
      const pause = AbortSignal.any([stop, this.#pause.signal]);
      const due = this.#due(readyPods()).values();
      // One list, from which each takes the next.
      const work = async () => {
        for (const pod of due) if (!stop.aborted && this.#isOpen(pod)) await this.#probeOnce(pod, probe);
      };
      await Promise.all(Array.from({ length: atOnce }, work));
      roundOver();
      await this.#clock.sleep(lookMs, pause).catch(() => {});
    }
    roundOver();
  }

  /** The pods to probe now, one a namespace. */
  #due(ready: ReadonlyMap<string, PodRef>): readonly PodRef[] {
    const now = this.#clock.monotonic();
    const unknown = this.#unauthenticated;
    if (unknown !== undefined) return unknown.retryAtMs > now ? [] : [ready.values().next().value ?? unknown.pod];
    for (const namespace of this.#silent.keys()) if (!ready.has(namespace)) this.#silent.delete(namespace);
    // The pod that was refused may be gone by now.
    const again = [...this.#denied].map(([namespace, { pod }]) => ready.get(namespace) ?? pod);
    const news = [...ready.values()].filter(({ namespace }) => !this.#denied.has(namespace));
    return [...again, ...news].filter((pod) => this.#isOpen(pod));
  }

  /** True when nothing is known of the namespace, or it is time to ask again. A connection may have answered meanwhile. */
  #isOpen({ namespace }: PodRef): boolean {
    const now = this.#clock.monotonic();
    if (this.#unauthenticated !== undefined) return this.#unauthenticated.retryAtMs <= now;
    const known = this.#denied.get(namespace) ?? this.#silent.get(namespace);
    return known === undefined ? !this.#works.has(namespace) : known.retryAtMs <= now;
  }

  async #probeOnce(pod: PodRef, probe: (pod: PodRef) => Promise<void>): Promise<void> {
    const { namespace } = pod;
    const now = this.#clock.monotonic();
    // Now, for the answer may be none at all.
    const waitMs = Math.min((this.#silent.get(namespace)?.waitMs ?? lookMs / 2) * 2, refusedRetryMs);
    const refusal = this.#unauthenticated ?? this.#denied.get(namespace);
    if (refusal === undefined) this.#silent.set(namespace, { waitMs, retryAtMs: now + waitMs });
    else refusal.retryAtMs = now + refusedRetryMs;
    // A failed probe shows in what was refused, or means nothing: the pod may just have gone.
    await this.#observe(pod, () => probe(pod)).catch(() => {});
  }

  async #observe<T>(pod: PodRef, attempt: () => Promise<T>): Promise<T> {
    const generation = this.#generation;
    try {
      const result = await attempt();
      if (generation === this.#generation) this.#succeeded(pod);
      return result;
    } catch (thrown) {
      const error = LocalizerError.from(thrown);
      const isRefusal = error.code === "denied" || error.code === "unauthenticated";
      if (isRefusal && generation === this.#generation) this.#refused(pod, error);
      throw error;
    }
  }

  #succeeded({ namespace }: PodRef): void {
    const wasUnknown = this.#unauthenticated !== undefined;
    this.#works.add(namespace);
    this.#unauthenticated = undefined;
    this.#denied.delete(namespace);
    this.#silent.delete(namespace);
    // All other namespaces can be asked again.
    if (wasUnknown) this.#pause.abort();
  }

  #refused(pod: PodRef, error: LocalizerError): void {
    const { namespace } = pod;
    const isNews = error.code !== this.deniedIn(namespace)?.code;
    const retryAtMs = this.#clock.monotonic() + refusedRetryMs;
    const wasUnknown = this.#unauthenticated !== undefined;
    if (error.code === "unauthenticated") {
      this.#unauthenticated = { error, pod, retryAtMs };
    } else {
      // Whoever is told what he may not do is known.
      this.#unauthenticated = undefined;
      this.#works.delete(namespace);
      this.#silent.delete(namespace);
      this.#denied.set(namespace, { error: shortRefusal(namespace, error), pod, retryAtMs });
      if (wasUnknown) this.#pause.abort();
    }
    // The server's own words stand here alone: each service says it in short.
    if (isNews && error.code === "denied") this.#log.warn("May not port-forward", { namespace, error });
  }
}
