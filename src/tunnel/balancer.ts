/** Which pod takes the next connection: the one with the fewest open ones, ties in turn. */
import type { Endpoint } from "../model/endpoint.ts";

/** Counts open connections by pod UID. One a service, so that its ports share the count. */
export class Balancer {
  /** Undefined while there are none: most services are at rest, and an empty map takes 200 bytes. */
  #open: Map<string, number> | undefined;
  #turn = 0;

  /** The endpoint for the next connection; undefined when all of them are in `avoid` or there is none. */
  pick(endpoints: readonly Endpoint[], avoid: ReadonlySet<string> = new Set()): Endpoint | undefined {
    const candidates = endpoints.filter(({ pod }) => !avoid.has(pod.uid));
    const fewest = Math.min(...candidates.map(({ pod }) => this.connections(pod.uid)));
    const least = candidates.filter(({ pod }) => this.connections(pod.uid) === fewest);
    return least.length === 0 ? undefined : least[this.#turn++ % least.length];
  }

  /** Counts a connection to the pod until disposed. */
  hold(endpoint: Endpoint): Disposable {
    const { uid } = endpoint.pod;
    let held = true;
    this.#open ??= new Map();
    this.#open.set(uid, this.connections(uid) + 1);
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        const left = this.connections(uid) - 1;
        if (left > 0) this.#open?.set(uid, left);
        else this.#open?.delete(uid);
        if (this.#open?.size === 0) this.#open = undefined;
      },
    };
  }

  /** Open connections to the pod. */
  connections(uid: string): number {
    return this.#open?.get(uid) ?? 0;
  }
}
