/**
 * What is counted of one port's connections, live. Made with the port's first connection, for most ports never have one.
 * Whatever can be read from the open connections is not counted but read when somebody asks. Used by tunnel-port; the
 * daemon tells it.
 */
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import type { LocalizerError } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { FarSide } from "../net/far-side.ts";
import type { ByteCounts } from "../net/splice.ts";
import { Histogram } from "./histogram.ts";

/** A connection that failed. */
export interface PortFailure {
  readonly error: LocalizerError;
  /** The pod that was tried last; undefined when there was none. */
  readonly endpoint: Endpoint | undefined;
  /** On the wall clock. */
  readonly atMs: number;
}

/** Who is behind among the open connections, and what waits for them in this process. */
export interface Backpressure {
  /** Connections whose application reads more slowly than its pod sends: the pod is held up. */
  readonly slowReaders: number;
  /** Connections whose pod, or the way to it, takes less than the application sends: the application is held up. */
  readonly slowPods: number;
  /** Bytes on their way from an application to a pod. */
  readonly bufferedUp: number;
  /** Bytes on their way from a pod to an application. */
  readonly bufferedDown: number;
}

/** The pods that the next connection could go to, now. */
export interface ReadyEndpoints {
  readonly endpoints: readonly Endpoint[];
}

/** Counts since the port was first used; a port that is closed and opened anew begins again. */
export class PortTraffic implements ByteCounts {
  /** Bytes that were read from applications, whatever became of them. */
  bytesUp = 0;
  /** Bytes that were read from pods. */
  bytesDown = 0;
  /** Connections that were accepted. */
  total = 0;
  /** Pods that were tried after another had failed to take the connection, or the same one once more. */
  retries = 0;
  /** Connections that failed; one that the caller broke off did not. */
  failures = 0;
  /** Stays when later connections go well. */
  lastFailure: PortFailure | undefined;
  /**
   * How long callers waited for the pod's first byte: from the accept on, or from the caller's own first byte if that came
   * later, for a connection that was opened in advance waits for nobody. The application's time to answer is in it.
   * Connections to which the pod said nothing are not, whether they failed or ended in order.
   */
  readonly firstByte = new Histogram();
  readonly #clock: Clock;
  readonly #ready: ReadyEndpoints;
  /** Undefined while there are none: an empty set takes 200 bytes. */
  #open: Set<CountedConnection> | undefined;

  /**
   * @param ready kept as long as this, and so no function: one made where the first connection is served would keep that
   * connection with its buffers for good
   */
  constructor(clock: Clock, ready: ReadyEndpoints) {
    this.#clock = clock;
    this.#ready = ready;
  }

  /** Connections that are open, those among them that still look for a pod. */
  get connections(): number {
    return this.#open?.size ?? 0;
  }

  get backpressure(): Backpressure {
    const sum = { slowReaders: 0, slowPods: 0, bufferedUp: 0, bufferedDown: 0 };
    for (const { local, far } of this.#open ?? []) {
      if (local.writableNeedDrain) sum.slowReaders++;
      if (far?.writableNeedDrain) sum.slowPods++;
      sum.bufferedUp += local.readableLength + (far?.writableLength ?? 0);
      sum.bufferedDown += local.writableLength + (far?.readableLength ?? 0);
    }
    return sum;
  }

  /** By UID the pods that are ready, and those that connections are open to. */
  get pods(): ReadonlySet<string> {
    const uids = new Set(this.#ready.endpoints.map(({ pod }) => pod.uid));
    for (const { endpoint } of this.#open ?? []) if (endpoint !== undefined) uids.add(endpoint.pod.uid);
    return uids;
  }

  /** A connection was accepted. */
  accept(local: Socket): CountedConnection {
    const counted = new CountedConnection(this, local, this.#clock);
    this.total++;
    this.#open ??= new Set();
    this.#open.add(counted);
    return counted;
  }

  /** A connection is over. */
  left(counted: CountedConnection): void {
    this.#open?.delete(counted);
    if (this.#open?.size === 0) this.#open = undefined;
  }
}

/** One connection as its owner tells of it. Disposing it takes it off the open ones. */
export class CountedConnection implements Disposable {
  readonly local: Socket;
  /** Of the pod that was reached last. */
  far: FarSide | undefined;
  /** The pod that was tried last. */
  endpoint: Endpoint | undefined;
  readonly #traffic: PortTraffic;
  readonly #clock: Clock;
  #waitsSinceMs: number;
  #hasSpoken = false;

  /** Made by `PortTraffic.accept`. */
  constructor(traffic: PortTraffic, local: Socket, clock: Clock) {
    this.local = local;
    this.#traffic = traffic;
    this.#clock = clock;
    this.#waitsSinceMs = clock.monotonic();
  }

  /** A pod is tried; every try but the first is a retry. */
  tries(endpoint: Endpoint): void {
    if (this.endpoint !== undefined) this.#traffic.retries++;
    this.endpoint = endpoint;
  }

  /** The channel to that pod is open. */
  reached(far: FarSide): void {
    this.far = far;
  }

  /** The caller said something, and no pod has answered yet. */
  said(bytes: number): void {
    this.#traffic.bytesUp += bytes;
    if (this.#hasSpoken) return;
    this.#hasSpoken = true;
    this.#waitsSinceMs = this.#clock.monotonic();
  }

  /** The pod's first byte waits to be read, or it has ended in order without one. */
  answered(): void {
    if (this.far === undefined || this.far.readableLength === 0) return;
    this.#traffic.firstByte.observe(this.#clock.monotonic() - this.#waitsSinceMs);
  }

  failed(error: LocalizerError): void {
    this.#traffic.failures++;
    this.#traffic.lastFailure = { error, endpoint: this.endpoint, atMs: this.#clock.now() };
  }

  [Symbol.dispose](): void {
    this.#traffic.left(this);
  }
}
