/** Who waits for a connection to one pod, in order. Used by pod-pool. */
import { LocalizerError } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { PodStream } from "./pod-stream.ts";

/** One who waits. Settling him takes him off the list. */
export interface Waiter {
  readonly endpoint: Endpoint;
  readonly sinceMs: number;
  readonly settle: (result: PodStream | LocalizerError) => void;
}

/** Iterates from the one who has waited longest. */
export class PoolWaiters {
  readonly #all = new Set<Waiter>();

  get size(): number {
    return this.#all.size;
  }

  /** He who has waited longest. */
  get oldest(): Waiter | undefined {
    const [oldest] = this.#all;
    return oldest;
  }

  [Symbol.iterator](): Iterator<Waiter> {
    return this.#all.values();
  }

  /** Adds one and calls `added`, which may settle him at once. Rejects as he is settled, or `aborted` when the signal fires. */
  wait(endpoint: Endpoint, sinceMs: number, signal: AbortSignal, added: () => void): Promise<PodStream> {
    return new Promise((resolve, reject) => {
      const onAbort = () => settle(new LocalizerError("aborted", "Stopped", { cause: signal.reason }));
      const settle: Waiter["settle"] = (result) => {
        this.#all.delete(waiter);
        signal.removeEventListener("abort", onAbort);
        if (result instanceof LocalizerError) reject(result);
        else resolve(result);
      };
      const waiter: Waiter = { endpoint, settle, sinceMs };
      if (signal.aborted) return onAbort();
      this.#all.add(waiter);
      signal.addEventListener("abort", onAbort, { once: true });
      added();
    });
  }

  /** Tells so many of the longest waiting, or all, that it is for nothing. */
  fail(error: LocalizerError, count = this.#all.size): void {
    for (const waiter of [...this.#all].slice(0, Math.max(count, 0))) waiter.settle(error);
  }
}
