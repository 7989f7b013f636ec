/**
 * The controller's queue, with the words and promises of client-go's util/workqueue: a key is
 * never processed twice at once, a key added while it is processed is processed again, a key
 * added many times before its turn has one turn. Used by controller.
 */
import { type BackoffOptions, backoffMs } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { throwIfAborted } from "./errors.ts";

/**
 * A rate-limited, de-duplicating queue of keys.
 * Invariants: a key in `waiting` is in `dirty`; a key in `processing` is in `dirty` only when added meanwhile.
 */
export class WorkQueue<K> implements Disposable {
  readonly #clock: Clock;
  readonly #backoff: BackoffOptions;
  readonly #waiting: K[] = [];
  readonly #dirty = new Set<K>();
  readonly #processing = new Set<K>();
  readonly #failures = new Map<K, number>();
  readonly #timers = new Map<K, Disposable>();
  readonly #drainers = new Set<() => void>();
  readonly #waiters = new Set<() => void>();
  #closed = false;

  constructor(clock: Clock, backoff: BackoffOptions = { baseMs: 50, factor: 2, capMs: 30_000 }) {
    this.#clock = clock;
    this.#backoff = backoff;
  }

  /** Keys that wait for a worker now. Not those waiting for a timer. */
  get length(): number {
    return this.#waiting.length;
  }

  /** True when nothing waits and nothing is processed. A retry that is due later does not count. */
  get idle(): boolean {
    return this.#dirty.size === 0 && this.#processing.size === 0;
  }

  /** Marks the key as in need of work. */
  add(key: K): void {
    if (this.#closed || this.#dirty.has(key)) return;
    this.#dirty.add(key);
    if (this.#processing.has(key)) return;
    this.#waiting.push(key);
    notify(this.#waiters);
  }

  /** Adds the key after `ms`; replaces an earlier timer of the same key. */
  addAfter(key: K, ms: number): void {
    if (this.#closed) return;
    this.#timers.get(key)?.[Symbol.dispose]();
    this.#timers.set(
      key,
      this.#clock.after(ms, () => {
        this.#timers.delete(key);
        this.add(key);
      }),
    );
  }

  /** Adds the key after a back-off that grows with each call until `forget`. */
  addRateLimited(key: K): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.addAfter(key, backoffMs(failures, this.#backoff));
  }

  /** How often the key was added by `addRateLimited` since it was last forgotten. */
  numRequeues(key: K): number {
    return this.#failures.get(key) ?? 0;
  }

  /** Ends the key's back-off: it worked. */
  forget(key: K): void {
    this.#failures.delete(key);
  }

  /** The next key, which is then the caller's until `done`; undefined once the queue is closed. */
  async get(signal?: AbortSignal): Promise<K | undefined> {
    for (;;) {
      throwIfAborted(signal);
      if (this.#closed) return undefined;
      const key = this.#waiting.shift();
      if (key !== undefined) {
        this.#dirty.delete(key);
        this.#processing.add(key);
        return key;
      }
      await notified(this.#waiters, signal);
    }
  }

  /** Gives the key back. If it was added meanwhile it waits again. Nothing happens if nobody holds it. */
  done(key: K): void {
    if (!this.#processing.delete(key)) return;
    if (this.#dirty.has(key) && !this.#closed) {
      this.#waiting.push(key);
      notify(this.#waiters);
    }
    if (this.idle) notify(this.#drainers);
  }

  /** Resolves when the queue is idle. */
  async drain(signal?: AbortSignal): Promise<void> {
    while (!this.idle && !this.#closed) {
      throwIfAborted(signal);
      await notified(this.#drainers, signal);
    }
    throwIfAborted(signal);
  }

  /** Closes the queue: waiting `get`s answer undefined, timers end. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) timer[Symbol.dispose]();
    this.#timers.clear();
    this.#waiting.length = 0;
    this.#dirty.clear();
    notify(this.#waiters);
    notify(this.#drainers);
  }
}

function notify(waiters: Set<() => void>): void {
  for (const wake of waiters) wake();
}

/** Resolves at the next `notify`, or when the signal fires; leaves nothing behind. */
function notified(waiters: Set<() => void>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      waiters.delete(finish);
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    waiters.add(finish);
    signal?.addEventListener("abort", finish, { once: true });
  });
}
