/**
 * What is known of port-forwarding in this cluster, from the connections that were tried and from probes: one upgrade
 * after the start and after each change of credentials, and again now and then where it was refused, so that a right
 * that was granted heals by itself.
 */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { PodRef } from "../model/endpoint.ts";
import type { DialPod } from "../portforward/dial-pod.ts";

/** Until the first answer it asks so often whether there is a pod to try. */
const retryMs = 5_000;

/** After a refusal: a right is granted by people. */
const refusedRetryMs = 60_000;

/** A refusal, and the pod that it was about. */
interface Refusal {
  readonly error: LocalizerError;
  readonly pod: PodRef;
  retryAtMs: number;
}

/** A pod that could be probed now: in the namespace, or anywhere. */
export type ReadyPod = (namespace?: string) => PodRef | undefined;

/** Watches dialers, and probes while nothing is known. */
export class PortForwardHealth {
  readonly #clock: Clock;
  #works = false;
  /** By namespace: rights differ by it. */
  readonly #denied = new Map<string, Refusal>();
  /** Who is not known at all is so everywhere. */
  #unauthenticated: Refusal | undefined;
  #pause = new AbortController();
  /** Counts resets: an attempt that began before one says nothing about what is now. */
  #generation = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True once an upgrade has succeeded, in whatever namespace, with the credentials of now. */
  get works(): boolean {
    return this.#works;
  }

  /**
   * The API server's refusal, if the last attempt in the namespace was refused: `denied` for lack of rights, which differ by
   * namespace, or `unauthenticated`, which holds for all.
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
    this.#works = false;
    this.#unauthenticated = undefined;
    for (const refusal of this.#denied.values()) refusal.retryAtMs = this.#clock.monotonic();
    this.#pause.abort();
  }

  /** Probes a ready pod, as soon as there is one, until it is known whether port-forwarding works. Disposing ends it. */
  keepProbing(readyPod: ReadyPod, probe: (pod: PodRef, signal: AbortSignal) => Promise<void>): AsyncDisposable {
    const stop = new AbortController();
    const running = this.#probe(readyPod, (pod) => probe(pod, stop.signal), stop.signal);
    return {
      async [Symbol.asyncDispose]() {
        stop.abort();
        await running;
      },
    };
  }

  async #probe(readyPod: ReadyPod, probe: (pod: PodRef) => Promise<void>, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      // Made before anything is looked at: what changes meanwhile ends the pause before it begins.
      this.#pause = new AbortController();
      const pause = AbortSignal.any([stop, this.#pause.signal]);
      for (const pod of this.#due(readyPod)) {
        // A failed probe shows in what was refused, or means nothing: the pod may just have gone.
        if (!stop.aborted) await this.#observe(pod, () => probe(pod)).catch(() => {});
      }
      await this.#rest(pause);
    }
  }

  /** The pods to probe now. */
  #due(readyPod: ReadyPod): readonly PodRef[] {
    const now = this.#clock.monotonic();
    const due = this.#refusals.filter(({ retryAtMs }) => retryAtMs <= now);
    // Now, for the answer may be none at all.
    for (const refusal of due) refusal.retryAtMs = now + refusedRetryMs;
    const again = due.map(({ pod }) => {
      // The one that was refused may be gone by now.
      const ready = readyPod(pod.namespace);
      return ready?.namespace === pod.namespace ? ready : pod;
    });
    const first = this.#works || this.#unauthenticated !== undefined ? undefined : readyPod();
    return first === undefined || this.#denied.has(first.namespace) ? again : [...again, first];
  }

  /** Until there is something to do: for good when all is well, and then a failure or `reset` ends it. */
  async #rest(signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonic();
    const retries = this.#refusals.map(({ retryAtMs }) => Math.max(retryAtMs - now, 0));
    if (!this.#works && this.#unauthenticated === undefined) retries.push(retryMs);
    if (retries.length > 0) await this.#clock.sleep(Math.min(...retries), signal).catch(() => {});
    else await aborted(signal);
  }

  get #refusals(): readonly Refusal[] {
    return [...this.#denied.values(), ...(this.#unauthenticated === undefined ? [] : [this.#unauthenticated])];
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
    const isNews = !this.#works || this.#unauthenticated !== undefined;
    this.#works = true;
    this.#unauthenticated = undefined;
    this.#denied.delete(namespace);
    if (isNews) this.#pause.abort();
  }

  #refused(pod: PodRef, error: LocalizerError): void {
    const refusal = { error, pod, retryAtMs: this.#clock.monotonic() + refusedRetryMs };
    const isNews = error.code !== this.deniedIn(pod.namespace)?.code;
    if (error.code === "unauthenticated") {
      this.#unauthenticated = refusal;
    } else {
      // Whoever is told what he may not do is known.
      this.#unauthenticated = undefined;
      this.#denied.set(pod.namespace, refusal);
    }
    if (isNews) this.#pause.abort();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
