/**
 * The dialer of a cluster: a pool of connections for each pod, and what they share. At rest nothing is open. Promises as
 * `DialPod`; who makes it disposes it, which closes everything.
 */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { PodRef } from "../model/endpoint.ts";
import type { DialPod } from "./dial-pod.ts";
import { type ConnectPod, PodPool } from "./pod-pool.ts";
import type { PodPoolStats } from "./pool-members.ts";
import { defaultPoolOptions, type PoolOptions } from "./pool-options.ts";
import type { PoolRoom } from "./pool-room.ts";
import { Surroundings } from "./surroundings.ts";

/** Between looks at the health of connections. No connections, no looks. */
const lookEveryMs = 1_000;

/** What the dialer works with. */
export interface PodDialerComponents {
  readonly connect: ConnectPod;
  readonly clock: Clock;
  /** Shared with whoever else wants to know of changes; without it only sleep is noticed. */
  readonly surroundings?: Surroundings;
}

/** Opens byte channels to pods' ports over pooled connections. */
export interface PodDialer extends AsyncDisposable {
  readonly dial: DialPod;
  /** The pod has left: its connections are closed when nobody uses them any more. By UID. */
  retire(uid: string): void;
  /** One for each pod that has connections. */
  stats(): readonly PodPoolStats[];
}

/** Makes it; nothing is opened before the first dial. */
export function openPodDialer(components: PodDialerComponents, options: Partial<PoolOptions> = {}): PodDialer {
  return new Pools(components, { ...defaultPoolOptions, ...options });
}

class Pools implements PodDialer {
  readonly #components: PodDialerComponents;
  readonly #options: PoolOptions;
  readonly #pools = new Map<string, PodPool>();
  /** Of pods that have left, until their last connection is closed. */
  readonly #retired = new Set<PodPool>();
  #isClosed = false;
  /** Somebody may wait for a stream to any pod of a node to end. */
  #isShortOfThreads = false;
  #timer: Disposable | undefined;
  readonly #surroundings: Surroundings;
  /** Of the surroundings, as they were last seen. */
  #changes: number;
  #lookedMs: number;

  constructor(components: PodDialerComponents, options: PoolOptions) {
    this.#components = components;
    this.#options = options;
    const { clock } = components;
    this.#surroundings = components.surroundings ?? new Surroundings({ clock });
    this.#changes = this.#surroundings.look();
    this.#lookedMs = clock.monotonic();
  }

  readonly dial: DialPod = async (endpoint, signal) => {
    if (this.#isClosed) throw new LocalizerError("aborted", "Stopped");
    this.#lookAround();
    const { uid } = endpoint.pod;
    let pool = this.#pools.get(uid);
    if (pool === undefined) {
      pool = new PodPool(endpoint.pod, { ...this.#components, room: this.#room }, this.#options);
      this.#pools.set(uid, pool);
      this.#noteReplaced(endpoint.pod);
    }
    this.#keepLooking();
    return await pool.open(endpoint, signal);
  };

  /** A name is one pod's at a time (a StatefulSet gives it to the next): others that had it, and have left, are gone. */
  #noteReplaced({ namespace, name, uid }: PodRef): void {
    for (const pool of this.#retired) {
      const { pod } = pool;
      if (pod.name === name && pod.namespace === namespace && pod.uid !== uid) pool.gone();
    }
  }

  retire(uid: string): void {
    const pool = this.#pools.get(uid);
    if (pool === undefined) return;
    this.#pools.delete(uid);
    this.#retired.add(pool);
    pool.retire();
  }

  stats(): readonly PodPoolStats[] {
    return this.#all.map(({ stats }) => stats);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#timer?.[Symbol.dispose]();
    for (const pool of this.#all) pool.close();
    this.#pools.clear();
    this.#retired.clear();
  }

  get #all(): readonly PodPool[] {
    return [...this.#pools.values(), ...this.#retired];
  }

  get #size(): number {
    return this.#all.reduce((sum, pool) => sum + pool.size, 0);
  }

  readonly #room: PoolRoom = {
    isCrowded: () => this.#size > this.#options.connections / 2,
    makeRoom: (byForce: boolean) => {
      if (this.#size < this.#options.connections) return true;
      if (!byForce) return false;
      longest(this.#all, ({ idleSinceMs }) => idleSinceMs)?.closeIdle("longest");
      if (this.#size < this.#options.connections) return true;
      longest(this.#all, ({ abandonedSinceMs }) => abandonedSinceMs)?.closeAbandoned();
      return this.#size < this.#options.connections;
    },
    hasThread: ({ node, uid }: PodRef) => {
      let streams = 0;
      for (const pool of this.#all) {
        if (node === undefined ? pool.pod.uid === uid : pool.pod.node === node) streams += pool.streams;
      }
      const hasThread = streams < this.#options.streamsPerNode;
      if (!hasThread) this.#isShortOfThreads = true;
      return hasThread;
    },
    changed: () => {
      if (!this.#isShortOfThreads) return;
      this.#isShortOfThreads = false;
      this.#serveWaiting();
    },
    left: () => this.#serveWaiting(),
  };

  /** Who has waited longest comes first, whichever pod he waits for. */
  #serveWaiting(): void {
    const waitedFor = this.#all.filter(({ isWaitedFor }) => isWaitedFor);
    waitedFor.sort((a, b) => (a.waitedForSinceMs ?? 0) - (b.waitedForSinceMs ?? 0));
    for (const pool of waitedFor) pool.serve();
  }

  #keepLooking(): void {
    if (this.#timer !== undefined) return;
    this.#lookedMs = this.#components.clock.monotonic();
    this.#timer = this.#components.clock.after(lookEveryMs, () => {
      this.#timer = undefined;
      this.#look();
    });
  }

  #look(): void {
    this.#lookAround();
    for (const [uid, pool] of this.#pools) if (pool.look()) this.#pools.delete(uid);
    for (const pool of this.#retired) if (pool.look()) this.#retired.delete(pool);
    if (this.#pools.size > 0 || this.#retired.size > 0) this.#keepLooking();
  }

  /** The machine slept, or this process did, or the network is another one: who knows what became of the connections. */
  #lookAround(): void {
    const { clock } = this.#components;
    const lateMs = clock.monotonic() - this.#lookedMs - lookEveryMs;
    if (this.#timer !== undefined && lateMs > this.#options.lateMs) {
      this.#lookedMs = clock.monotonic();
      this.#surroundings.changed();
    }
    const changes = this.#surroundings.look();
    if (changes === this.#changes) return;
    this.#changes = changes;
    for (const pool of this.#all) pool.alarm();
  }
}

/** The pool of which the time lies furthest back. */
function longest(pools: readonly PodPool[], since: (pool: PodPool) => number | undefined): PodPool | undefined {
  let found: { readonly pool: PodPool; readonly ms: number } | undefined;
  for (const pool of pools) {
    const ms = since(pool);
    if (ms !== undefined && (found === undefined || ms < found.ms)) found = { pool, ms };
  }
  return found?.pool;
}
