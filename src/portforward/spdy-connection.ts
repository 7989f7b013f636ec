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
import { PodStream, type StreamCarrier } from "./pod-stream.ts";
import { type StreamPair, StreamPairs } from "./stream-pairs.ts";

/** What the pod may still say after the local side has gone, a goodbye for instance; more is a download nobody wants. */
const maxWastedBytes = 64 * 1024;

/** The runtime lets go of a stream a second after our FIN; if it takes so long, something is stuck. */
const maxLingerMs = 10_000;

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
  readonly #closed = new AbortController();
  #onChange = () => {};
  #nextStreamId = 1;
  #opened = 0;
  #condemned: string | undefined;
  #isStuck = false;

  /** @param head bytes that came with the upgrade's answer */
  constructor(socket: Duplex, head: Buffer, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    this.#sender = new FrameSender(socket, clock);
    this.#receiver = new FrameReceiver(socket, clock, {
      onData: (id, bytes) => this.#onData(id, bytes),
      onFin: (id) => this.#onFin(id),
      onReply: (id) => this.#onReply(id),
      onReset: (id, status) => this.#onReset(id, status),
      onPing: (id) => this.#health.pinged(id),
      onGoAway: () => this.condemn("the other side takes no new streams"),
      onLost: (reason) => this.#fail(reason),
    });
    this.#health = new ConnectionHealth(clock, this.#sender, this.#receiver);
    socket.on("drain", () => this.#sender.drained());
    if (head.length > 0) this.#receiver.push(head);
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

  /** New streams may be opened on it: nothing wrong is known or feared. */
  get isHealthy(): boolean {
    return !this.closed.aborted && this.#condemned === undefined && !this.#health.isSuspect;
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
    const isAlone = this.#pairs.open === 0 && this.#pairs.live === 0;
    const errorId = this.#nextStreamId;
    const dataId = errorId + 2;
    this.#nextStreamId = dataId + 2;
    const pair = this.#pairs.add(errorId, dataId);
    const stream = new PodStream(this.#carrier(pair), dataId, { endpoint, clock: this.#clock, afterReply: !isAlone });
    this.#pairs.attach(pair, stream);
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
    if (verdict === "lost") this.#fail(`no answer to pings for ${limits.lostMs / 1000} s`);
    else if (verdict === "poisoned") this.#giveUp("a worker of the runtime is stuck");
    else if (this.#pairs.leftBefore(this.#clock.monotonic() - maxLingerMs)) this.#giveUp("a stream does not end");
    else if (wasSuspect !== this.#health.isSuspect) this.#onChange();
  }

  /** Closes the connection; streams still open end with `unavailable`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail("the connection was closed by localizer");
  }

  #carrier(pair: StreamPair): StreamCarrier {
    const { errorId } = pair;
    const pairs = this.#pairs;
    return {
      sendData: (_id, chunks, callback) => {
        this.#health.sent(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
        this.#sender.data(pair, chunks, callback);
      },
      sendFin: () => this.#sendFin(pair),
      finished: () => {
        if (pair.phase === "open") this.#prove(pair, false);
      },
      get isAlone() {
        return pairs.live <= 1;
      },
      pause: () => this.#receiver.pause(errorId),
      resume: () => void this.#receiver.resume(errorId),
      leave: () => this.#leave(pair),
    };
  }

  #sendFin(pair: StreamPair): void {
    if (pair.finSent || pair.dataEnded || this.closed.aborted) return;
    pair.finSent = true;
    if (pair.phase === "open") this.#prove(pair, true);
    else this.#sender.finAndPings(pair, true, []);
  }

  /** Pings behind the last byte of the pair, in one write with the FIN if it is due. */
  #prove(pair: StreamPair, fin: boolean): void {
    this.#pairs.close(pair);
    this.#health.prove(pair, fin, () => {
      pair.phase = "lingering";
      this.#closeWhenUnused();
      this.#onChange();
    });
  }

  /** The local side has gone. */
  #leave(pair: StreamPair): void {
    const isBehind = this.#receiver.resume(pair.errorId);
    this.#pairs.detach(pair, this.#clock.monotonic());
    if (this.closed.aborted || this.#pairs.get(pair.dataId) === undefined) return;
    if (this.#sender.forget(pair)) {
      // The runtime never heard of it.
      this.#pairs.remove(pair);
    } else if (pair.isBroken) {
      this.#pairs.remove(pair);
      this.condemn("a stream on it failed");
    } else if (isBehind && !pair.dataEnded) {
      // Alone it is closed; beside others only a FIN stops the pod.
      if (this.#pairs.live > 0) this.#sendFin(pair);
      this.condemn("a download was broken off");
    } else if (!pair.dataEnded) {
      this.#sendFin(pair);
    } else if (pair.phase === "open") {
      this.#prove(pair, false);
    }
    this.#closeWhenUnused();
    this.#onChange();
  }

  #onData(id: number, bytes: Buffer): void {
    const pair = this.#pairs.get(id);
    if (pair === undefined) return;
    if (id === pair.errorId) {
      pair.isBroken = true;
      if (pair.stream === undefined) this.condemn("a stream on it failed");
      else pair.stream.feedError(bytes);
    } else if (pair.stream !== undefined) {
      pair.stream.feedData(bytes);
    } else {
      pair.wastedBytes += bytes.length;
      if (pair.wastedBytes <= maxWastedBytes) return;
      // Whatever it was sent last, it does not listen: not worth waiting for.
      pair.phase = "lingering";
      this.condemn("a download was broken off");
    }
  }

  #onFin(id: number): void {
    const pair = this.#pairs.get(id);
    if (pair === undefined) return;
    if (id === pair.dataId) pair.dataEnded = true;
    else pair.errorEnded = true;
    const isOver = pair.dataEnded && pair.errorEnded;
    // Before its stream ends and leaves: it shall find nothing more to be said to the pod.
    if (isOver) this.#end(pair);
    if (id === pair.dataId) pair.stream?.endData();
    else pair.stream?.endError();
    if (!isOver) return;
    if (pair.isBroken) this.condemn("a stream on it failed");
    this.#closeWhenUnused();
    this.#onChange();
  }

  /** Both streams have ended. What was sent until then may still block a worker: that the pings show. */
  #end(pair: StreamPair): void {
    if (pair.phase === "open" && !pair.isBroken) this.#prove(pair, false);
    this.#pairs.remove(pair);
  }

  #onReply(id: number): void {
    const pair = this.#pairs.get(id);
    if (pair?.dataId === id) pair.stream?.replied();
  }

  #onReset(id: number, status: number): void {
    const pair = this.#pairs.get(id);
    if (pair === undefined) return;
    pair.isBroken = true;
    this.#pairs.remove(pair);
    pair.stream?.reset(status);
    this.condemn("a stream on it was reset");
  }

  /** Nothing more will get through: not worth waiting for. */
  #giveUp(reason: string): void {
    this.#isStuck = true;
    this.condemn(reason);
  }

  #closeWhenUnused(): void {
    if (this.#condemned === undefined || this.#pairs.live > 0) return;
    // What the last stream has sent may still be on its way.
    const isProving = this.#pairs.all.some(({ phase }) => phase === "proving");
    if (!isProving || this.#isStuck) this.#fail(this.#condemned);
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
