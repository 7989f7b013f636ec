/**
 * One upgraded connection to a pod: SPDY/3.1 over a socket, any number of stream pairs on it.
 * Promises: frames of a write stay in order, a slow reader pauses the socket, a lost connection ends every stream with
 * a reason, and it says honestly whether it may be used again. Used by the pool.
 */
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { ConnectionHealth, type HealthLimits } from "./connection-health.ts";
import { FrameReceiver } from "./frame-receiver.ts";
import { FrameSender } from "./frame-sender.ts";
import { PairTraffic } from "./pair-traffic.ts";
import type { AskPath } from "./path-check.ts";
import { PodStream } from "./pod-stream.ts";
import { type StreamPair, StreamPairs } from "./stream-pairs.ts";

/** The runtime lets go of a stream a second after our FIN; if it takes so long, something is stuck. */
const maxLingerMs = 10_000;

/** A runtime that has read a SYN answers it at once, whatever its pod does; so long is waited for that. */
const maxReplyMs = 2_000;

/** What the local side has sent before it left waits so long for a slow application, as long as the path is alive. */
const maxDeliveryMs = 600_000;

/** How a stream is opened. */
export interface OpenStreamOptions {
  /** The SYNs wait a moment for the first bytes, and go out in one write with them. */
  readonly mayWait?: boolean;
}

/** A SPDY session, client side. */
export class SpdyConnection implements AsyncDisposable {
  readonly #socket: Duplex;
  readonly #clock: Clock;
  readonly #sender: FrameSender;
  readonly #receiver: FrameReceiver;
  readonly #health: ConnectionHealth;
  readonly #pairs = new StreamPairs();
  readonly #traffic: PairTraffic;
  readonly #closed = new AbortController();
  #onChange = () => {};
  #nextStreamId = 1;
  #opened = 0;
  #condemned: string | undefined;
  #isStuck = false;

  /**
   * @param head bytes that came with the upgrade's answer
   * @param askPath for uploads that get stuck; without it they are waited for
   */
  constructor(socket: Duplex, head: Buffer, clock: Clock, askPath?: AskPath) {
    this.#socket = socket;
    this.#clock = clock;
    this.#sender = new FrameSender(socket, clock);
    this.#receiver = new FrameReceiver(socket, clock, {
      onData: (id, bytes) => this.#traffic.onData(id, bytes),
      onFin: (id) => this.#traffic.onFin(id),
      onReply: (id) => this.#traffic.onReply(id),
      onReset: (id, status) => this.#traffic.onReset(id, status),
      onPing: (id) => this.#health.pinged(id),
      onGoAway: () => this.condemn("the other side takes no new streams"),
      onLost: (reason) => this.#fail(reason),
    });
    this.#health = new ConnectionHealth(clock, this.#sender, this.#receiver, askPath);
    this.#traffic = new PairTraffic({
      ...{ clock, pairs: this.#pairs, sender: this.#sender, receiver: this.#receiver, health: this.#health },
      isClosed: () => this.closed.aborted,
      condemn: (reason) => this.condemn(reason),
      changed: () => {
        this.#closeWhenUnused();
        this.#onChange();
      },
    });
    socket.on("drain", () => this.#sender.drained());
    if (head.length > 0) this.#receiver.push(head);
    // Whatever happened before anybody listened will not be told again.
    if (socket.destroyed || socket.readableEnded) this.#fail("the connection was closed");
    // An 'upgrade' leaves the socket paused.
    socket.resume();
  }

  /** Fires when the connection is of no more use; the reason is a LocalizerError. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Streams opened so far. */
  get opened(): number {
    return this.#opened;
  }

  /** Streams that hold a thread of the runtime. */
  get streams(): number {
    return this.#pairs.size;
  }

  /** Streams on which bytes may still be sent. */
  get openStreams(): number {
    return this.#pairs.open;
  }

  /** Streams that the local side has not left. */
  get liveStreams(): number {
    return this.#pairs.live;
  }

  /** Streams of which the local side has not ended, or waits for the answer. */
  get busyStreams(): number {
    return this.#pairs.busy;
  }

  /** New streams may be opened on it: nothing wrong is known or feared. */
  get isHealthy(): boolean {
    return !this.closed.aborted && this.#condemned === undefined && !this.#health.isSuspect;
  }

  /** Nothing is known yet, but a worker of the runtime may be stuck: not to be shared. */
  get isInDoubt(): boolean {
    return this.#health.isInDoubt;
  }

  /** Closed, and not because anybody here wanted it. */
  get isLost(): boolean {
    return this.closed.aborted && this.#condemned === undefined;
  }

  /** True when it will never be free again: it closes with its last stream. */
  get isCondemned(): boolean {
    return this.closed.aborted || this.#condemned !== undefined;
  }

  /** Nobody sends on it, and all that ever was sent has been consumed. */
  get isProven(): boolean {
    return this.#pairs.open === 0 && this.#health.isProven;
  }

  /** The other side takes our bytes more slowly than they come. */
  get hasBacklog(): boolean {
    return this.#sender.hasBacklog;
  }

  /** A local reader is behind. */
  get isPaused(): boolean {
    return this.#receiver.isPaused;
  }

  /** Streams whose local reader is behind. */
  get pausedStreams(): number {
    return this.#receiver.behind;
  }

  /** Round-trip time to the runtime in ms, once known. */
  get rttMs(): number | undefined {
    return this.#health.rttMs;
  }

  /** Has `onChange` called, one owner's, whenever one of the above may have changed. */
  watch(onChange: () => void): void {
    this.#onChange = onChange;
  }

  /**
   * Opens the pair of streams for one connection to the pod's port. Nothing is waited for: what is written goes out
   * behind the two SYNs, unless others share the connection: then only when the runtime has accepted the stream, for data
   * behind a SYN that is stuck would block the others. A refusal ends the stream with the runtime's reason.
   * @throws LocalizerError `unavailable` when the connection is closed
   */
  openStream(endpoint: Endpoint, { mayWait = false }: OpenStreamOptions = {}): PodStream {
    if (this.closed.aborted) throw LocalizerError.from(this.closed.reason);
    // Behind a proof that is still out there may be a worker that is stuck.
    const isAlone = this.#pairs.busy === 0 && this.isProven;
    const errorId = this.#nextStreamId;
    const dataId = errorId + 2;
    this.#nextStreamId = dataId + 2;
    const pair = this.#pairs.add(errorId, dataId, this.#clock.monotonic());
    const stream = new PodStream(this.#traffic.carrier(pair), dataId, {
      ...{ endpoint, clock: this.#clock },
      afterReply: !isAlone,
    });
    this.#pairs.attach(pair, stream);
    this.#health.opened();
    this.#sender.open(pair, { port: String(endpoint.port), requestid: String(this.#opened++) }, mayWait);
    return stream;
  }

  /** Takes no new streams; closes with the last that is in use, or now. */
  condemn(reason: string): void {
    this.#condemned ??= reason;
    this.#closeWhenUnused();
    this.#onChange();
  }

  /** Looks after its health, to be called every second or so: pings when it is time, and judges by what is missing. */
  look(limits: HealthLimits): void {
    if (this.closed.aborted) return;
    const wasSuspect = this.#health.isSuspect;
    const verdict = this.#health.look(limits);
    const now = this.#clock.monotonic();
    this.#pairs.consumed(this.#health.provenMs, now);
    if (verdict === "lost") this.#fail(`nothing came for ${Math.round(this.#health.silentMs / 1000)} s`);
    else if (verdict === "poisoned") this.#giveUp("a worker of the runtime is stuck");
    else if (this.#pairs.provingSince(now - maxLingerMs)) this.#giveUp("what was sent is not taken");
    else if (this.#pairs.overdueSince(now - maxLingerMs)) this.condemn("a stream does not end");
    else if (wasSuspect !== this.#health.isSuspect) this.#onChange();
    this.#breakOffIgnored(now);
  }

  /** True when a stream is in use on which nothing was said either way since this time, as far as could be heard. */
  hasStillSince(timeMs: number): boolean {
    return this.#stillSince(timeMs).length > 0;
  }

  /** Ends those streams as lost (`unavailable`; `why` ends the sentence), and takes no new ones. */
  breakOffStill(timeMs: number, why: string): void {
    for (const pair of this.#stillSince(timeMs)) this.#traffic.breakOff(pair, why);
  }

  /** Whatever it was proven to be: it is so no more until it answers, and it has to do so soon. */
  alarm(): void {
    if (this.closed.aborted) return;
    this.#health.alarm();
    this.#onChange();
  }

  /** Closes the connection; streams still open end with `unavailable`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail("the connection was closed by localizer");
  }

  #stillSince(timeMs: number): readonly StreamPair[] {
    if (this.#receiver.wasPausedSince(timeMs)) return [];
    return this.#pairs.all.filter(({ stream }) => (stream?.stillSinceMs ?? timeMs + 1) <= timeMs);
  }

  /** What was sent behind such a SYN may have been delivered all the same: its stream is lost, not refused. */
  #breakOffIgnored(now: number): void {
    for (const pair of this.#pairs.ignored(this.#health.provenMs, now)) {
      const { ignoredMs = now } = pair;
      if (this.#receiver.wasPausedSince(ignoredMs)) pair.ignoredMs = now;
      else if (now - ignoredMs >= maxReplyMs) this.#traffic.breakOff(pair, "the runtime did not accept the stream");
    }
  }

  /** Nothing more will get through, unless an application is only slow: not worth waiting for. */
  #giveUp(reason: string): void {
    this.#isStuck = true;
    this.condemn(reason);
  }

  #closeWhenUnused(): void {
    if (this.#condemned === undefined || this.#pairs.live > 0) return;
    // What the last stream has sent may still be on its way.
    const isProving = this.#pairs.all.some(({ phase }) => phase === "proving");
    if (!isProving || !this.#isWorthWaiting) this.#fail(this.#condemned);
  }

  /** Where bytes stand before the pings an application may only be slow; else those who gave up were right. */
  get #isWorthWaiting(): boolean {
    if (this.#pairs.provingSince(this.#clock.monotonic() - maxDeliveryMs)) return false;
    // What blocks a worker for good comes with the pod's end or a text; without either its application may read on.
    return !this.#isStuck || this.#health.isStuck || this.isPaused || this.#pairs.isAwaited;
  }

  #fail(reason: string): void {
    if (this.closed.aborted) return;
    const error = new LocalizerError("unavailable", `Lost the connection to the pod: ${reason}`);
    this.#closed.abort(error);
    for (const { stream } of this.#pairs.all) stream?.destroy(error);
    this.#sender[Symbol.dispose]();
    this.#socket.destroy();
    this.#onChange();
  }
}
