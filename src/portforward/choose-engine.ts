/**
 * Which engine a cluster's port-forwards go by: the first of POST SPDY, GET SPDY, SPDY in WebSocket and v4 channels that
 * works is remembered for the cluster. Promises that a pod's own failure changes nothing and holds nobody else up for long,
 * that what a gateway refuses leads on, and that connections made at once share one search. Used by the daemon, for the
 * pool, and by engine-dialer.
 */
import type { Clock } from "../clock.ts";
import { throwIfAborted } from "../errors.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { reachServer } from "../kube/reach-server.ts";
import type { Logger } from "../log.ts";
import type { Endpoint, PodRef } from "../model/endpoint.ts";
import type { EngineName } from "../model/engine-name.ts";
import type { TcpEnds } from "../net/tcp-delivery.ts";
import { EngineMemory } from "./engine-memory.ts";
import type { Found } from "./engine-search.ts";
import { EngineSearches, type Opened, type Wish } from "./engine-searches.ts";
import { carrierOf } from "./engines.ts";
import { type AskPath, PathCheck, type PathWitnesses } from "./path-check.ts";
import { SpdyConnection } from "./spdy-connection.ts";
import { changesEngine, failure, type RefusedEngine, tryEngine, wrongEngine } from "./try-engine.ts";
import type { V4Channel } from "./v4-channel.ts";
import { V4Dials } from "./v4-dials.ts";

/**
 * The one way to a cluster's pods. Disposing it ends searches that are under way and cuts `v4` channels that still send the
 * end of what they were sent; other connections are their owners'.
 */
export interface PodConnector extends AsyncDisposable {
  /** The engine in use; undefined before the first success. */
  readonly engine: EngineName | undefined;
  /** The same in a namespace, where the rights may demand another. */
  engineIn(namespace: string): EngineName | undefined;
  /** The one that a connection to this pod would be made by; undefined when it has to be found out. */
  engineFor(pod: PodRef): EngineName | undefined;
  /**
   * An upgraded connection to the pod, the caller's. An attempt ends by itself after 10 s without an answer, and may be
   * followed by others with other engines: give a signal that allows for that.
   * @throws LocalizerError as `DialPod`; also `unavailable` when `engineFor` the pod is `v4`, which has no such connections
   */
  connect(pod: PodRef, signal: AbortSignal): Promise<SpdyConnection>;
  /**
   * A byte channel by the engine `v4`, with a connection of its own: nothing of it can be shared, kept or made beforehand,
   * for the pod sees a client as soon as it is up. Above as many as a pool would make it waits for 5 s at most.
   * @throws LocalizerError as `DialPod`; also `unavailable` when `engineFor` the pod is another one, and above the limit
   */
  dial(endpoint: Endpoint, signal: AbortSignal): Promise<V4Channel>;
  /** Shows that port-forwarding to the pod works, without touching any of the ports that pods use. Throws as `connect`. */
  probe(pod: PodRef, signal: AbortSignal): Promise<void>;
  /** Forgets what worked: the server is another version now, or the network another one. */
  reset(): void;
}

/** What the choice works with. */
export interface PodConnectorParts {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Pick<Logger, "info">;
  /** Of localizer, for the User-Agent. */
  readonly version?: string | undefined;
  /** What is true of the server and of the way to it: when it is another one, what worked is forgotten (`reset`). */
  readonly circumstances?: () => string;
  /** Who can tell whether a silent connection is lost; without them nobody is asked. */
  readonly witnesses?: Pick<PathWitnesses, "deliveryOf" | "isOurs">;
}

/** Nothing is opened before the first call. `engine`: this one and no other; without it the choice is made. */
export function podConnector(parts: PodConnectorParts, engine?: EngineName | undefined): PodConnector {
  return new EngineChoice(parts, engine);
}

class EngineChoice implements PodConnector {
  readonly #parts: PodConnectorParts;
  readonly #forced: EngineName | undefined;
  readonly #memory: EngineMemory;
  readonly #searches: EngineSearches;
  readonly #v4: V4Dials;
  readonly #path: PathCheck | undefined;
  #circumstances: string | undefined;
  #engine: EngineName | undefined;

  constructor(parts: PodConnectorParts, forced: EngineName | undefined) {
    const { circumstances, clock, cluster, witnesses } = parts;
    this.#parts = parts;
    this.#forced = forced;
    this.#engine = forced;
    this.#circumstances = circumstances?.();
    this.#memory = new EngineMemory(clock);
    this.#searches = new EngineSearches({
      ...{ upgrades: parts, memory: this.#memory },
      remember: (pod, found) => this.#remember(pod, found),
    });
    this.#v4 = new V4Dials({
      ...{ clock, circumstances },
      open: (wish) => this.#open(wish),
      pathOf: (ends) => this.#pathOf(ends),
    });
    const { server, proxy, tls } = cluster;
    this.#path =
      witnesses &&
      new PathCheck({
        ...{ ...witnesses, clock, isProxied: proxy !== undefined },
        dial: (signal) => reachServer({ server, proxy, tls }, signal),
      });
  }

  get engine(): EngineName | undefined {
    return this.#engine;
  }

  engineIn(namespace: string): EngineName | undefined {
    return this.#forced ?? this.#memory.engineIn(namespace) ?? this.#engine;
  }

  engineFor(pod: PodRef): EngineName | undefined {
    return this.#forced ?? this.#memory.engineFor(pod);
  }

  async connect(pod: PodRef, signal: AbortSignal): Promise<SpdyConnection> {
    if (this.#engineNow(pod) === "v4") throw wrongEngine(pod, "v4");
    const { engine, upgraded } = await this.#open({ pod, signal });
    const { socket, head, ends } = upgraded;
    if (engine !== "v4") return new SpdyConnection(socket, head, this.#parts.clock, this.#pathOf(ends));
    socket.destroy();
    throw wrongEngine(pod, engine);
  }

  async dial(endpoint: Endpoint, signal: AbortSignal): Promise<V4Channel> {
    const known = this.#engineNow(endpoint.pod);
    if (known !== undefined && known !== "v4") throw wrongEngine(endpoint.pod, known);
    return await this.#v4.dial(endpoint, signal);
  }

  async probe(pod: PodRef, signal: AbortSignal): Promise<void> {
    const { upgraded } = await this.#open({ pod, signal });
    upgraded.socket.destroy();
  }

  reset(): void {
    this.#memory.clear();
    this.#searches.reset();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#v4[Symbol.dispose]();
    await this.#searches[Symbol.asyncDispose]();
  }

  async #open(wish: Wish): Promise<Opened> {
    const { pod, signal, port } = wish;
    for (;;) {
      throwIfAborted(signal);
      const engine = this.#engineNow(pod);
      let refused: RefusedEngine | undefined;
      if (engine !== undefined) {
        const outcome = await tryEngine(engine, this.#parts, pod, { signal, port }).catch((error: unknown) => {
          throw failure(pod, [], error);
        });
        if (outcome.sign === undefined) {
          this.#memory.worked(engine);
          return { engine, upgraded: carrierOf(engine, outcome) };
        }
        refused = { engine, refusal: outcome };
        if (this.#forced !== undefined || !changesEngine(outcome.sign)) throw failure(pod, [refused]);
      }
      const opened = await this.#searches.find(wish, refused);
      if (opened !== undefined) return opened;
    }
  }

  /** After a look around: what worked under other circumstances says nothing. */
  #engineNow(pod: PodRef): EngineName | undefined {
    const now = this.#parts.circumstances?.();
    if (now !== this.#circumstances) {
      this.#circumstances = now;
      this.reset();
    }
    return this.engineFor(pod);
  }

  #pathOf(ends: TcpEnds | undefined): AskPath | undefined {
    return this.#path?.of(ends ?? {});
  }

  #remember(pod: PodRef, { engine, refused }: Found): void {
    const refusals = refused.map(({ refusal }) => refusal);
    this.#memory.remember(pod, engine, refusals);
    const now = this.#memory.engine;
    if (now === undefined || now === this.#engine) return;
    this.#engine = now;
    if (refusals[0] === undefined) return;
    this.#parts.log.info("Port-forwards go another way", { engine: now, because: refusals[0].error.message });
  }
}
