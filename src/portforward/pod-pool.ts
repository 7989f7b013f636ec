/**
 * The connections to one pod, and who waits for one. A connection that nobody uses is taken alone; when there is none,
 * one is dialled, and whatever becomes free first serves. Promises that no connection is handed out that is in use (but
 * above the limits, to be shared) or of which it is not proven that all it carried before was consumed. Used by pod-dialer.
 */
import type { Clock } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import type { Endpoint, PodRef } from "../model/endpoint.ts";
import { limitError } from "./limit-error.ts";
import { PodDeparture } from "./pod-departure.ts";
import { PodDials } from "./pod-dials.ts";
import type { PodStream } from "./pod-stream.ts";
import { type PodPoolStats, type PoolMember, PoolMembers } from "./pool-members.ts";
import type { PoolOptions } from "./pool-options.ts";
import { PoolPolicy } from "./pool-policy.ts";
import type { PoolRoom } from "./pool-room.ts";
import { PoolWaiters } from "./pool-waiters.ts";
import type { SpdyConnection } from "./spdy-connection.ts";

/** A connection that nobody has used when it ends is not of use if it lived no longer. */
const earlyMs = 5_000;

/** Makes an upgraded connection to the pod. Throws LocalizerError as `DialPod` does. */
export type ConnectPod = (pod: PodRef, signal: AbortSignal) => Promise<SpdyConnection>;

/** One pod's. */
export class PodPool {
  readonly pod: PodRef;
  readonly #components: { readonly connect: ConnectPod; readonly clock: Clock; readonly room: PoolRoom };
  readonly #options: PoolOptions;
  readonly #members: PoolMembers;
  readonly #waiters = new PoolWaiters();
  readonly #stop = new AbortController();
  readonly #dials: PodDials;
  readonly #policy: PoolPolicy;
  readonly #departure: PodDeparture;
  #usedMs = Number.NEGATIVE_INFINITY;
  #isRetired = false;
  #timer: Disposable | undefined;
  readonly #serve = () => this.serve();

  constructor(
    pod: PodRef,
    components: { readonly connect: ConnectPod; readonly clock: Clock; readonly room: PoolRoom },
    options: PoolOptions,
  ) {
    this.pod = pod;
    this.#components = components;
    this.#options = options;
    this.#members = new PoolMembers(options);
    this.#dials = new PodDials(components.clock, options);
    const { clock, connect, room } = components;
    this.#departure = new PodDeparture({
      ...{ clock, members: this.#members },
      ask: () => connect(pod, this.#stop.signal),
      options,
    });
    this.#policy = new PoolPolicy({ pod, clock, room, members: this.#members, dials: this.#dials }, options);
  }

  /** Connections and dials. */
  get size(): number {
    return this.#members.size + this.#dials.size;
  }

  get isWaitedFor(): boolean {
    return this.#waiters.size > 0;
  }

  /** Since when somebody waits. */
  get waitedForSinceMs(): number | undefined {
    return this.#waiters.oldest?.sinceMs;
  }

  /** Streams, in use and lingering. */
  get streams(): number {
    return this.#members.streams;
  }

  /** When its longest idle connection became so; undefined when it has none to give. */
  get idleSinceMs(): number | undefined {
    return this.#members.free[0]?.idleSinceMs;
  }

  get stats(): PodPoolStats {
    const { pod, size } = this;
    const counts = { dialling: this.#dials.size, waiting: this.#waiters.size };
    return { pod, ...counts, ...this.#members.counts, connections: size - this.#dials.size };
  }

  /** A stream to a port of the pod. Throws as `DialPod` does. */
  open(endpoint: Endpoint, signal: AbortSignal): Promise<PodStream> {
    this.#usedMs = this.#components.clock.monotonic();
    return this.#waiters.wait(endpoint, this.#usedMs, signal, () => this.serve());
  }

  /** Gives what there is to those who wait, and dials what is missing. Call it when there may be more room. */
  serve(): void {
    for (const waiter of this.#waiters) {
      if (!this.#policy.hasThread) break;
      const free = this.#members.freest;
      const mayShare = free === undefined && this.#policy.mayShare(waiter.sinceMs, this.#waiters.size);
      const found = mayShare ? this.#members.quietest : free;
      if (found === undefined) break;
      waiter.settle(found.connection.openStream(waiter.endpoint, { mayWait: found === free }));
    }
    while (this.#waiters.size > this.#dials.fresh && !this.#isRetired && this.#policy.mayDial(true)) this.#dial();
    this.#wakeAgain();
    if (this.#waiters.size > 0) return;
    if (this.#needsSpare) this.#dial();
  }

  /** Looks after health and age; true when nothing is left of it. */
  look(): boolean {
    const { clock } = this.#components;
    const { idleMs, idleLostMs, idleSuspectMs, pingEveryMs, recycleMs, spareMs } = this.#options;
    const now = clock.monotonic();
    const isInUse = now - this.#usedMs < spareMs && !this.#isRetired;
    for (const { connection, bornMs } of this.#members.all) {
      const limits = { ...this.#options, everyMs: pingEveryMs };
      const isUsed = connection.liveStreams > 0;
      connection.look(isUsed ? limits : { ...limits, suspectMs: idleSuspectMs, lostMs: idleLostMs });
      if (now - bornMs >= recycleMs) connection.condemn("it has served its time");
    }
    if (this.#isRetired || this.#departure.isGone) this.#departure.look();
    let { free } = this.#members;
    for (const { connection, idleSinceMs } of free) {
      if (now - idleSinceMs < idleMs || (free.length === 1 && isInUse)) continue;
      free = free.filter((other) => other.connection !== connection);
      connection.condemn("nobody uses it");
    }
    this.serve();
    return this.size === 0 && !this.isWaitedFor && !this.#departure.isAsking;
  }

  /** Since when the longest left of those waits that only bring what was sent before their streams were left. */
  get abandonedSinceMs(): number | undefined {
    return this.#members.abandoned?.idleSinceMs;
  }

  /** Closes it: somebody who is there needs the room. */
  closeAbandoned(): void {
    void this.#members.abandoned?.connection[Symbol.asyncDispose]();
  }

  /** Closes connections that nobody uses: the longest idle one, or all. */
  closeIdle(which: "longest" | "all"): void {
    const { free } = this.#members;
    for (const { connection } of which === "all" ? free : free.slice(0, 1)) connection.condemn("nobody uses it");
  }

  /** Who knows what became of the connections: those that nobody uses are closed, the others have to answer soon. */
  alarm(): void {
    this.closeIdle("all");
    for (const { connection } of this.#members.all) connection.alarm();
  }

  /** The pod has left: what is free is closed, the rest with its last stream. */
  retire(): void {
    this.#isRetired = true;
    this.#condemnAll();
    // Nobody would serve them any more.
    if (this.#dials.size === 0) this.#waiters.fail(this.#goneError);
  }

  /** The pod is known not to come back: its streams are reset once nothing is said on them any more. */
  gone(): void {
    this.#departure.confirm();
  }

  /** Closes everything; who waits gets `aborted`. */
  close(): void {
    this.#isRetired = true;
    this.#stop.abort();
    this.#timer?.[Symbol.dispose]();
    this.#waiters.fail(new LocalizerError("aborted", "Stopped"));
    for (const { connection } of this.#members.all) void connection[Symbol.asyncDispose]();
  }

  get #goneError(): LocalizerError {
    const { namespace, name } = this.pod;
    return new LocalizerError("gone", `Cannot forward to pod ${namespace}/${name}: it has left`);
  }

  #condemnAll(): void {
    for (const { connection } of this.#members.all) connection.condemn("the pod has left");
  }

  /** One kept ready while the pod is in use: the next connection shall not wait for a dial. */
  get #needsSpare(): boolean {
    const isInUse = this.#components.clock.monotonic() - this.#usedMs < this.#options.spareMs;
    return isInUse && !this.#isRetired && this.#policy.mayDialSpare();
  }

  #dial(): void {
    const { clock, connect, room } = this.#components;
    const start = () => connect(this.pod, this.#stop.signal);
    this.#dials.start(start, this.#serve, (dialled) => {
      if ("failure" in dialled) this.#failed(dialled.failure);
      else if (this.#isRetired && !this.isWaitedFor) void dialled.connection[Symbol.asyncDispose]();
      else this.#join({ ...dialled, bornMs: clock.monotonic(), idleSinceMs: clock.monotonic() });
      this.serve();
      room.left();
    });
  }

  /** Who waits for a dial that failed learns why; who may still be served by another waits on. */
  #failed(error: LocalizerError): void {
    if (codeOf(error) === "gone" || this.size === 0) this.#waiters.fail(error);
    else if (this.#members.quietest === undefined) this.#waiters.fail(error, this.#waiters.size - this.#dials.fresh);
    if (error.code !== "gone") return;
    this.#departure.confirm();
    this.#condemnAll();
  }

  #join(member: PoolMember): void {
    const { connection } = member;
    const { clock, room } = this.#components;
    this.#members.add(member);
    connection.watch(() => {
      if (!this.#members.has(member)) return;
      if (connection.closed.aborted) {
        this.#members.delete(member);
        this.#noteEnd(member);
        room.left();
      } else if (connection.opened >= this.#options.recycleStreams && !connection.isCondemned) {
        connection.condemn("it has served enough");
      }
      member.idleSinceMs = clock.monotonic();
      if (this.isWaitedFor) this.serve();
      room.changed();
    });
  }

  /** A gateway may close at once what it let pass: then no other is made without need, and none without a pause. */
  #noteEnd({ connection, bornMs }: PoolMember): void {
    const isEarly =
      connection.isLost && connection.opened === 0 && this.#components.clock.monotonic() - bornMs < earlyMs;
    if (isEarly) this.#dials.endedEarly();
    else this.#dials.succeeded();
  }

  /** Looks again when the oldest waiter has waited long enough to share, and then to give up. */
  #wakeAgain(): void {
    const { clock } = this.#components;
    const { patienceMs } = this.#options;
    const { shareAfterMs } = this.#policy;
    this.#timer?.[Symbol.dispose]();
    const now = clock.monotonic();
    const { oldest } = this.#waiters;
    if (oldest === undefined) return;
    const waitedMs = now - oldest.sinceMs;
    if (waitedMs >= patienceMs && this.#dials.size === 0) {
      oldest.settle(limitError(oldest.endpoint, this.#options, this.#policy.limitReached));
      this.#wakeAgain();
      return;
    }
    const waitMs = waitedMs < shareAfterMs ? shareAfterMs - waitedMs : Math.max(patienceMs - waitedMs, shareAfterMs);
    const { pauseMs } = this.#dials;
    this.#timer = clock.after(pauseMs > 0 ? Math.min(waitMs, pauseMs) : waitMs, this.#serve);
  }
}
