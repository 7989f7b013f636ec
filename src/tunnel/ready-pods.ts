/** The pods that a port's connections may go to now, and who waits for others. */
import type { Clock } from "../clock.ts";
import { throwIfAborted } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";

/**
 * So long a pod that took no connection comes last. Without it a pod that refuses, having no connections, would be the
 * first to be tried for each.
 */
const doubtMs = 5_000;

/** One a port. */
export class ReadyPods {
  readonly #clock: Clock;
  /** When each pod failed to take a connection, by UID. This and the next are undefined until somebody needs them. */
  #failedAt: Map<string, number> | undefined;
  #waiting: Set<() => void> | undefined;
  #endpoints: readonly Endpoint[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /** Tells which they are, and wakes who waits. */
  set(endpoints: readonly Endpoint[]): void {
    this.#endpoints = endpoints;
    const ready = new Set(endpoints.map(({ pod }) => pod.uid));
    for (const uid of this.#failedAt?.keys() ?? []) if (!ready.has(uid)) this.#failedAt?.delete(uid);
    for (const wake of [...(this.#waiting ?? [])]) wake();
  }

  /** Notes whether the pod took a connection now. */
  note(uid: string, isTaken: boolean): void {
    if (isTaken) {
      this.#failedAt?.delete(uid);
    } else if (this.#endpoints.some(({ pod }) => pod.uid === uid)) {
      this.#failedAt ??= new Map();
      this.#failedAt.set(uid, this.#clock.monotonic());
    }
  }

  /** The UIDs of those that took no connection when they were last tried, less than 5 s ago. */
  get doubtful(): ReadonlySet<string> {
    const now = this.#clock.monotonic();
    for (const [uid, atMs] of this.#failedAt ?? []) if (now - atMs >= doubtMs) this.#failedAt?.delete(uid);
    return new Set(this.#failedAt?.keys());
  }

  /**
   * Waits for the next `set`. False when `ms` passed before.
   * @throws LocalizerError `aborted` as soon as the signal fires
   */
  async changed(ms: number, signal: AbortSignal): Promise<boolean> {
    throwIfAborted(signal);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const wake = () => resolve(true);
    using _timer = this.#clock.after(ms, () => resolve(false));
    this.#waiting ??= new Set();
    this.#waiting.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    try {
      const isChanged = await promise;
      throwIfAborted(signal);
      return isChanged;
    } finally {
      this.#waiting?.delete(wake);
      signal.removeEventListener("abort", wake);
    }
  }
}
