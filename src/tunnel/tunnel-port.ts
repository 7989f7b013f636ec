/** One port of a tunnel: its listener, and the connections that came in through it. */
import type { Socket } from "node:net";
import { codeOf, LocalizerError } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { Port } from "../model/port.ts";
import type { ListenAddress, Listener } from "../net/listen.ts";
import { resetSocket, splice } from "../net/splice.ts";
import { Affinity } from "./affinity.ts";
import type { Balancer } from "./balancer.ts";
import { findPod, type SearchComponents } from "./pod-search.ts";
import { PortListener, type WantedPorts } from "./port-listener.ts";
import { PortTraffic } from "./port-traffic.ts";
import { ReadyPods } from "./ready-pods.ts";
import { StuckCallers } from "./stuck-callers.ts";
import type { TunnelComponents, TunnelPortSpec, TunnelPortStatus } from "./tunnel-components.ts";

/** What a port knows of the others of its address. */
export interface Neighbours extends WantedPorts {
  /** The port that listens there, having moved; undefined when none does. */
  movedTo(number: Port): Port | undefined;
}

/** Made by Tunnel, without a listener: `update` opens it. */
export class TunnelPort implements AsyncDisposable {
  readonly #components: TunnelComponents;
  readonly #at: ListenAddress;
  readonly #search: SearchComponents;
  readonly #listener: PortListener;
  readonly #neighbours: Neighbours;
  /** Made with the first connection, as its counters are. */
  #stuck: StuckCallers | undefined;
  /**
   * Each connection with a switch of its own: thousands on one signal make taking one off it slow. Undefined while there
   * are none.
   */
  #live: Map<AbortController, Promise<void>> | undefined;
  #isStopped = false;
  #affinityMs: number | undefined;
  #newest: Endpoint | undefined;
  #lastError: LocalizerError | undefined;
  #traffic: PortTraffic | undefined;

  /** @param options.after as for `PortListener` */
  constructor(
    components: TunnelComponents,
    at: ListenAddress,
    options: { balancer: Balancer; neighbours: Neighbours; after: Promise<void> | undefined },
  ) {
    const { clock, dial, peerEnd } = components;
    this.#components = components;
    this.#at = at;
    this.#neighbours = options.neighbours;
    this.#search = {
      ...{ clock, dial, peerEnd, balancer: options.balancer },
      pods: new ReadyPods(clock),
      affinity: new Affinity(clock),
    };
    this.#listener = new PortListener(components, at, {
      listen: (signal) => this.#listen(signal),
      after: options.after,
      neighbours: options.neighbours,
    });
  }

  /** What was counted; undefined while there never was a connection. */
  get traffic(): PortTraffic | undefined {
    return this.#traffic;
  }

  get status(): TunnelPortStatus {
    const { endpoints } = this.#search.pods;
    const newest = endpoints.find(({ pod }) => pod.uid === this.#newest?.pod.uid);
    return {
      port: this.#at.port,
      state: this.#listener.state,
      at: this.#listener.at,
      bindError: this.#listener.bindError,
      endpoint: newest ?? endpoints[0],
      ready: endpoints.length,
      connections: this.#live?.size ?? 0,
      lastError: this.#lastError,
      traffic: this.#traffic,
    };
  }

  /**
   * Where new connections go from now on, even before this resolves; open ones stay where they are. Opens or closes the
   * listener as the pods demand.
   * @throws LocalizerError as `PortListener.setReady` does
   */
  async update({ endpoints, affinityMs }: Omit<TunnelPortSpec, "port">, signal?: AbortSignal): Promise<void> {
    this.#affinityMs = affinityMs;
    this.#search.pods.set(endpoints);
    await this.#listener.setReady(endpoints.length > 0, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    for (const stop of this.#live?.keys() ?? []) stop.abort();
    await this.#listener[Symbol.asyncDispose]();
    await Promise.all(this.#live?.values() ?? []);
  }

  async #listen(signal: AbortSignal): Promise<Listener> {
    const { listen, whoHolds } = this.#components;
    try {
      return await listen(this.#at, (socket) => this.#accept(socket), signal, this.#neighbours.wanted);
    } catch (error) {
      if (codeOf(error) !== "conflict") throw error;
      const { address, port } = this.#at;
      const moved = this.#neighbours.movedTo(port);
      // Asking must not hide the failure.
      const others = async () => await whoHolds?.(this.#at).catch(() => undefined);
      const holder = moved === undefined ? await others() : `this service's port ${moved} listens there`;
      if (holder === undefined) throw error;
      throw new LocalizerError("conflict", `Cannot listen on ${address}:${port}: ${holder}`, { cause: error });
    }
  }

  #accept(local: Socket): void {
    if (this.#isStopped) {
      local.resetAndDestroy();
      return;
    }
    const stop = new AbortController();
    const served = this.#serve(local, stop).finally(() => this.#left(stop));
    this.#live ??= new Map();
    this.#live.set(stop, served);
  }

  #left(stop: AbortController): void {
    this.#live?.delete(stop);
    if (this.#live?.size === 0) this.#live = undefined;
  }

  /** Never rejects. */
  async #serve(local: Socket, stop: AbortController): Promise<void> {
    const { clock, isReset, log, peerEnd } = this.#components;
    const { signal } = stop;
    if (isReset !== undefined) this.#stuck ??= new StuckCallers(clock, isReset);
    this.#traffic ??= new PortTraffic(clock, this.#search.pods);
    using counted = this.#traffic.accept(local);
    using _stuck = this.#stuck?.watch(local, stop);
    let error: LocalizerError | undefined;
    try {
      const onTry = (endpoint: Endpoint) => {
        this.#newest = endpoint;
        counted.tries(endpoint);
      };
      const options = { at: this.#at, affinityMs: this.#affinityMs, onTry, counted, stop };
      const { far, held } = await findPod(local, this.#search, options);
      using _held = held;
      counted.answered();
      const result = await splice(local, far, { clock, signal, peerEnd, counts: this.#traffic });
      // An answer is the proof that what was wrong is right again.
      if (result.bytesDown > 0) this.#lastError = undefined;
      error = result.error;
    } catch (thrown) {
      error = LocalizerError.from(thrown);
      resetSocket(local);
    }
    if (error === undefined || error.code === "aborted" || signal.aborted) return;
    counted.failed(error);
    // Said once; a client that tries again and again shall not fill the log.
    const level = this.#lastError?.message === error.message ? "debug" : "warn";
    this.#lastError = error;
    log[level]("Connection failed", { address: this.#at.address, port: this.#at.port, error });
  }
}
