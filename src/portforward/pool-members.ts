/** The connections of one pool, and which of them can be given to whom. Used by pod-pool. */
import type { PodRef } from "../model/endpoint.ts";
import type { PoolOptions } from "./pool-options.ts";
import type { SpdyConnection } from "./spdy-connection.ts";

/** A connection, and since when. */
export interface PoolMember {
  readonly connection: SpdyConnection;
  readonly bornMs: number;
  /** When it last changed; good for one that is free. */
  idleSinceMs: number;
}

/** How they stand. */
export interface PoolCounts {
  /** Connections that nobody uses. */
  readonly free: number;
  /** Streams in use. */
  readonly streams: number;
  /** Streams that the runtime has not let go of yet. */
  readonly lingering: number;
  /** Streams whose local reader is behind: their connection reads nothing until it has caught up. */
  readonly paused: number;
  /** Connections whose other side takes our bytes more slowly than they come. */
  readonly backlogged: number;
  /** Of the quickest connection. */
  readonly rttMs: number | undefined;
}

/** What is to be seen of a pool. */
export interface PodPoolStats extends PoolCounts {
  readonly pod: PodRef;
  readonly connections: number;
  readonly dialling: number;
  readonly waiting: number;
}

/** A set of them. */
export class PoolMembers {
  readonly #members = new Set<PoolMember>();
  readonly #options: Pick<PoolOptions, "streamsPerConnection" | "lingering">;

  constructor(options: Pick<PoolOptions, "streamsPerConnection" | "lingering">) {
    this.#options = options;
  }

  get size(): number {
    return this.#members.size;
  }

  get all(): readonly PoolMember[] {
    return [...this.#members];
  }

  has(member: PoolMember): boolean {
    return this.#members.has(member);
  }

  add(member: PoolMember): void {
    this.#members.add(member);
  }

  delete(member: PoolMember): void {
    this.#members.delete(member);
  }

  /** Nobody uses them, and all that they carried was consumed. The longest idle first. */
  get free(): PoolMember[] {
    return this.all.filter((member) => this.#isFree(member)).sort((a, b) => a.idleSinceMs - b.idleSinceMs);
  }

  /** Of the free ones that with the fewest streams that linger. */
  get freest(): PoolMember | undefined {
    return this.#least((member) => this.#isFree(member));
  }

  /** Of those that can be shared that with the fewest streams. */
  get quietest(): PoolMember | undefined {
    const { streamsPerConnection, lingering } = this.#options;
    return this.#least(({ connection }) => {
      const { openStreams, streams, isPaused } = connection;
      return isWell(connection) && !isPaused && openStreams < streamsPerConnection && streams < lingering;
    });
  }

  /** Of those that take no streams and that nobody reads any more that which has not changed for longest. */
  get abandoned(): PoolMember | undefined {
    let longest: PoolMember | undefined;
    for (const member of this.#members) {
      const { isCondemned, liveStreams } = member.connection;
      if (!isCondemned || liveStreams > 0) continue;
      if (longest === undefined || member.idleSinceMs < longest.idleSinceMs) longest = member;
    }
    return longest;
  }

  /** Nobody sends on so many: they are free, or as soon as pings are answered. */
  get soonFree(): number {
    return this.#count(({ isHealthy, openStreams }) => (isHealthy && openStreams === 0 ? 1 : 0));
  }

  /** So many can take streams, and take what is sent. */
  get well(): number {
    return this.#count((connection) => (isWell(connection) ? 1 : 0));
  }

  /** Streams, in use and lingering. */
  get streams(): number {
    return this.#count(({ streams }) => streams);
  }

  /** Round-trip time of the quickest in ms, once known. */
  get rttMs(): number | undefined {
    let least: number | undefined;
    for (const { connection } of this.#members) {
      if (least === undefined || (connection.rttMs ?? least) < least) least = connection.rttMs;
    }
    return least;
  }

  get counts(): PoolCounts {
    const live = this.#count(({ liveStreams }) => liveStreams);
    return {
      free: this.free.length,
      streams: live,
      lingering: this.streams - live,
      paused: this.#count(({ pausedStreams }) => pausedStreams),
      backlogged: this.#count(({ hasBacklog }) => (hasBacklog ? 1 : 0)),
      rttMs: this.rttMs,
    };
  }

  #isFree({ connection }: PoolMember): boolean {
    const { isHealthy, isProven, isPaused, streams, busyStreams } = connection;
    // Who ended his side has nearly always gone; the few that half-close and wait are known as such a moment later.
    return isHealthy && isProven && busyStreams === 0 && !isPaused && streams < this.#options.lingering;
  }

  #count(of: (connection: SpdyConnection) => number): number {
    let sum = 0;
    for (const { connection } of this.#members) sum += of(connection);
    return sum;
  }

  /** That with the fewest streams in use, of several that with the fewest not left, and then with the fewest that linger. */
  #least(isGood: (member: PoolMember) => boolean): PoolMember | undefined {
    let best: PoolMember | undefined;
    for (const member of this.#members) {
      if (isGood(member) && (best === undefined || isLess(member, best))) best = member;
    }
    return best;
  }
}

function isWell({ isHealthy, isInDoubt, hasBacklog }: SpdyConnection): boolean {
  return isHealthy && !isInDoubt && !hasBacklog;
}

function isLess({ connection: a }: PoolMember, { connection: b }: PoolMember): boolean {
  if (a.openStreams !== b.openStreams) return a.openStreams < b.openStreams;
  return a.liveStreams !== b.liveStreams ? a.liveStreams < b.liveStreams : a.streams < b.streams;
}
