/**
 * What one pod's pool may do now: dial, share, open another stream. Decides by what the pool has and what the process leaves it,
 * and keeps nothing of its own. Used by pod-pool, which acts on it.
 */
import type { Clock } from "../clock.ts";
import type { PodRef } from "../model/endpoint.ts";
import type { LimitOptions } from "./limit-error.ts";
import type { PodDials } from "./pod-dials.ts";
import type { PoolMembers } from "./pool-members.ts";
import type { PoolOptions } from "./pool-options.ts";
import type { PoolRoom } from "./pool-room.ts";

/** What it looks at. */
export interface PoolPolicyParts {
  readonly pod: PodRef;
  readonly members: PoolMembers;
  readonly dials: PodDials;
  readonly room: PoolRoom;
  readonly clock: Clock;
}

/** Of one pod. */
export class PoolPolicy {
  readonly #parts: PoolPolicyParts;
  readonly #options: PoolOptions;

  constructor(parts: PoolPolicyParts, options: PoolOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** One more stream may be opened. */
  get hasThread(): boolean {
    const { pod, room } = this.#parts;
    return room.hasThread(pod);
  }

  /** So long one waits for a connection that will be free in a moment, rather than share another; in ms. */
  get shareAfterMs(): number {
    return Math.max(this.#options.shareAfterMs, 1.5 * (this.#parts.members.rttMs ?? 0));
  }

  /**
   * Who waits since then, among so many, may share a connection: above the limits only, and not when one will be free in a
   * moment. If need be a connection that nobody uses is closed, so that he need not.
   */
  mayShare(sinceMs: number, waiting: number): boolean {
    const { clock, dials, members, room } = this.#parts;
    if (dials.fresh > 0) return false;
    // Where no more can be had what is there has to do.
    const mayHaveOwn = this.#counted < this.#ownAtMost && !this.#isFailing && !this.#isHanging;
    if (mayHaveOwn && room.makeRoom(true)) return false;
    return clock.monotonic() - sinceMs >= this.shareAfterMs || waiting > members.soonFree;
  }

  /** One more connection may be made; `byForce`: if need be one that nobody uses is closed for it. */
  mayDial(byForce: boolean): boolean {
    const { dials, members, room } = this.#parts;
    if (this.#isFailing || this.#isHanging || dials.pauseMs > 0) return false;
    if (this.#isFull || !this.hasThread) return false;
    const isNeeded = this.#counted < this.#ownAtMost || (dials.size === 0 && members.quietest === undefined);
    return isNeeded && room.makeRoom(byForce);
  }

  /** A connection may be made before somebody asks for it. */
  mayDialSpare(): boolean {
    const { dials, members } = this.#parts;
    if (dials.size > 0 || dials.failedMs !== undefined || members.size === 0 || members.soonFree > 0) return false;
    return this.#counted < this.#ownAtMost && this.mayDial(false);
  }

  /** What stands in the way of who waited in vain. */
  get limitReached(): keyof LimitOptions {
    if (!this.hasThread) return "streamsPerNode";
    return this.#isFull ? "connectionsPerPodAtMost" : "connections";
  }

  get #isFull(): boolean {
    const { dials, members } = this.#parts;
    return members.size + dials.size >= this.#options.connectionsPerPodAtMost;
  }

  /** A dial has failed just now, beside connections that work: the next has time. */
  get #isFailing(): boolean {
    const { clock, dials, members } = this.#parts;
    if (dials.failedMs === undefined || members.well === 0) return false;
    return clock.monotonic() - dials.failedMs < this.#options.redialMs;
  }

  /** More of the dials that hang would only make it worse. */
  get #isHanging(): boolean {
    const { dials } = this.#parts;
    return dials.size - dials.fresh >= this.#options.slowDialsPerPod;
  }

  /** Before they are shared; fewer where many pods want some, so that none is kept out. */
  get #ownAtMost(): number {
    const { connectionsPerPod, connectionsPerPodCrowded } = this.#options;
    return this.#parts.room.isCrowded() ? Math.min(connectionsPerPodCrowded, connectionsPerPod) : connectionsPerPod;
  }

  /** Connections that count for the limit: those that can take streams, and those to come. */
  get #counted(): number {
    const { dials, members } = this.#parts;
    return members.well + dials.size;
  }
}
