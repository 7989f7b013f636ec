/** What is known of port-forwarding in this cluster, from the connections that were tried and a probe at the start. */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { PodRef } from "../model/endpoint.ts";
import type { DialPod } from "../portforward/dial-pod.ts";

/** Until the first answer it asks so often whether there is a pod to try. */
const retryMs = 5_000;

/** Watches dialers, and probes while nothing is known. */
export class PortForwardHealth {
  readonly #clock: Clock;
  #works = false;
  readonly #denied = new Map<string, LocalizerError>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True once an upgrade has succeeded, in whatever namespace. */
  get works(): boolean {
    return this.#works;
  }

  /** The API server's refusal, if the last attempt in the namespace was refused for lack of rights; these differ by namespace. */
  deniedIn(namespace: string): LocalizerError | undefined {
    return this.#denied.get(namespace);
  }

  /** The same dialer, watched. */
  watch(dial: DialPod): DialPod {
    return (endpoint, signal) => this.#observe(endpoint.pod.namespace, () => dial(endpoint, signal));
  }

  /** Probes a ready pod, as soon as there is one, until it is known whether port-forwarding works. Disposing ends it. */
  keepProbing(
    readyPod: () => PodRef | undefined,
    probe: (pod: PodRef, signal: AbortSignal) => Promise<void>,
  ): AsyncDisposable {
    const stop = new AbortController();
    const running = this.#probe(readyPod, (pod) => probe(pod, stop.signal), stop.signal);
    return {
      async [Symbol.asyncDispose]() {
        stop.abort();
        await running;
      },
    };
  }

  async #probe(
    readyPod: () => PodRef | undefined,
    probe: (pod: PodRef) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted && !this.#works) {
      const pod = readyPod();
      // A failed probe shows in `denied`, or means nothing: the pod may just have gone.
      if (pod !== undefined) await this.#observe(pod.namespace, () => probe(pod)).catch(() => {});
      if (!this.#works) await this.#clock.sleep(retryMs, signal).catch(() => {});
    }
  }

  async #observe<T>(namespace: string, attempt: () => Promise<T>): Promise<T> {
    try {
      const result = await attempt();
      this.#works = true;
      this.#denied.delete(namespace);
      return result;
    } catch (thrown) {
      const error = LocalizerError.from(thrown);
      if (error.code === "denied") this.#denied.set(namespace, error);
      throw error;
    }
  }
}
