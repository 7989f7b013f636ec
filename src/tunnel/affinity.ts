/** Which pod a caller was led to before: `sessionAffinity: ClientIP`. */
import type { Clock } from "../clock.ts";

/** Callers that are remembered; of more, those who came longest ago are forgotten. */
const maxCallers = 1_024;

/** One a port, as in kube-proxy. */
export class Affinity {
  readonly #clock: Clock;
  /** The caller who came last stands last; undefined while nobody came. */
  #callers: Map<string, { readonly uid: string; readonly atMs: number }> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The UID of the pod that took the caller's last connection, unless that is more than `affinityMs` ago. */
  podOf(caller: string, affinityMs: number): string | undefined {
    const last = this.#callers?.get(caller);
    return last !== undefined && this.#clock.monotonic() - last.atMs <= affinityMs ? last.uid : undefined;
  }

  /** Notes that the pod took a connection of the caller's now. */
  remember(caller: string, uid: string): void {
    this.#callers ??= new Map();
    this.#callers.delete(caller);
    this.#callers.set(caller, { uid, atMs: this.#clock.monotonic() });
    if (this.#callers.size <= maxCallers) return;
    for (const [oldest] of this.#callers) {
      this.#callers.delete(oldest);
      return;
    }
  }
}
