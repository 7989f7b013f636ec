/**
 * Which engine a cluster's port-forwards go by: the first of POST SPDY, GET SPDY, SPDY in WebSocket and v4 channels that
 * works is remembered for the cluster. Promises that a pod's own failure changes nothing, that what a gateway refuses leads
 * on, and that connections made at once share one search. Used by the daemon, for the pool, and by engine-dialer.
 */
import type { Clock } from "../clock.ts";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { reachServer } from "../kube/reach-server.ts";
import type { Logger } from "../log.ts";
import type { Endpoint, PodRef } from "../model/endpoint.ts";
import type { EngineName } from "../model/engine-name.ts";
import { EngineMemory } from "./engine-memory.ts";
import { type Found, type Search, searchEngine } from "./engine-search.ts";
import { carrierOf } from "./engines.ts";
import { PathCheck, type PathWitnesses } from "./path-check.ts";
import { SpdyConnection } from "./spdy-connection.ts";
import { changesEngine, failure, type RefusedEngine, tryEngine } from "./try-engine.ts";
import type { Upgraded } from "./upgrade.ts";
import { V4Channel } from "./v4-channel.ts";

/** The one way to a cluster's pods. Disposing it ends a search that is under way; connections are their owners'. */
export interface PodConnector extends AsyncDisposable {
  /** The engine in use; undefined before the first success. */
  readonly engine: EngineName | undefined;
  /** The same in a namespace, where the rights may demand another. */
  engineIn(namespace: string): EngineName | undefined;
  /**
   * An upgraded connection to the pod, the caller's. An attempt ends by itself after 10 s without an answer, and may be
   * followed by others with other engines: give a signal that allows for that.
   * @throws LocalizerError as `DialPod`; also `unavailable` when `engine` is `v4`, which has no such connections
   */
  connect(pod: PodRef, signal: AbortSignal): Promise<SpdyConnection>;
  /**
   * A byte channel by the engine `v4`, with a connection of its own: nothing of it can be shared, kept or made beforehand,
   * for the pod sees a client as soon as it is up.
   * @throws LocalizerError as `DialPod`; also `unavailable` when `engine` is another one
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

interface Opened {
  readonly engine: EngineName;
  readonly upgraded: Upgraded;
}

class EngineChoice implements PodConnector {
  readonly #parts: PodConnectorParts;
  readonly #forced: EngineName | undefined;
  readonly #memory: EngineMemory;
  readonly #stop = new AbortController();
  readonly #path: PathCheck | undefined;
  #circumstances: string | undefined;
  #search: Promise<Search> | undefined;
  #engine: EngineName | undefined;

  constructor(parts: PodConnectorParts, forced: EngineName | undefined) {
    this.#parts = parts;
    this.#forced = forced;
    this.#engine = forced;
    this.#memory = new EngineMemory(parts.clock);
    this.#circumstances = parts.circumstances?.();
    const { clock, cluster, witnesses } = parts;
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
    return this.#forced ?? this.#memory.engineFor(namespace) ?? this.#engine;
  }

  async connect(pod: PodRef, signal: AbortSignal): Promise<SpdyConnection> {
    this.#lookAround();
    if ((this.#forced ?? this.#memory.engineFor(pod.namespace)) === "v4") throw wrongEngine(pod, "v4");
    const { engine, upgraded } = await this.#open(pod, signal);
    const { socket, head, ends = {} } = upgraded;
    if (engine !== "v4") return new SpdyConnection(socket, head, this.#parts.clock, this.#path?.of(ends));
    upgraded.socket.destroy();
    throw wrongEngine(pod, engine);
  }

  async dial(endpoint: Endpoint, signal: AbortSignal): Promise<V4Channel> {
    const { engine, upgraded } = await this.#open(endpoint.pod, signal, endpoint);
    if (engine === "v4" && !upgraded.socket.destroyed) {
      const { circumstances, clock } = this.#parts;
      const health = { askPath: this.#path?.of(upgraded.ends ?? {}), circumstances };
      return new V4Channel(upgraded, endpoint, { clock, health });
    }
    upgraded.socket.destroy();
    // A search has just found it, with a port that nobody listens on.
    if (engine === "v4") return await this.dial(endpoint, signal);
    throw wrongEngine(endpoint.pod, engine);
  }

  async probe(pod: PodRef, signal: AbortSignal): Promise<void> {
    const { upgraded } = await this.#open(pod, signal);
    upgraded.socket.destroy();
  }

  reset(): void {
    this.#memory.clear();
    this.#search = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#search?.catch(() => {});
  }

  async #open(pod: PodRef, signal: AbortSignal, endpoint?: Endpoint): Promise<Opened> {
    throwIfAborted(signal);
    this.#lookAround();
    const engine = this.#forced ?? this.#memory.engineFor(pod.namespace);
    if (engine === undefined) return await this.#searched(pod, signal, endpoint);
    const outcome = await tryEngine(engine, this.#parts, pod, { signal, port: endpoint?.port }).catch(
      (error: unknown) => {
        throw failure(pod, [], error);
      },
    );
    if (outcome.sign === undefined) return { engine, upgraded: carrierOf(engine, outcome) };
    const refused = { engine, refusal: outcome };
    if (this.#forced !== undefined || !changesEngine(outcome.sign)) throw failure(pod, [refused]);
    return await this.#searched(pod, signal, endpoint, refused);
  }

  async #searched(pod: PodRef, signal: AbortSignal, endpoint?: Endpoint, refused?: RefusedEngine): Promise<Opened> {
    const running = this.#search;
    if (running === undefined) return await this.#startSearch(pod, signal, endpoint, refused);
    const search = await unlessAborted(running, signal);
    if (search.kind === "failed" && search.isEverywhere) throw failure(pod, search.refused, search.error);
    // It was about that pod or its namespace, or there is an engine now.
    return await this.#open(pod, signal, endpoint);
  }

  async #startSearch(
    pod: PodRef,
    signal: AbortSignal,
    endpoint: Endpoint | undefined,
    refused: RefusedEngine | undefined,
  ): Promise<Opened> {
    const round = this.#memory.round;
    // Not with the caller's signal: others wait for it too, and what is found is of use though the caller has left.
    const searching = searchEngine(this.#parts, pod, { signal: this.#stop.signal, refused });
    this.#search = searching;
    const settled = searching.then((search) => {
      if (this.#search === searching) this.#search = undefined;
      if (search.kind === "found" && this.#memory.round === round) this.#remember(pod.namespace, search);
      // Nobody may be there any more who would.
      if (signal.aborted && search.kind === "found") search.upgraded.socket.destroy();
      return search;
    });
    const search = await unlessAborted(settled, signal);
    if (search.kind === "failed") throw failure(pod, search.refused, search.error);
    if (this.#memory.round === round) return search;
    search.upgraded.socket.destroy();
    return await this.#open(pod, signal, endpoint);
  }

  #lookAround(): void {
    const now = this.#parts.circumstances?.();
    if (now === this.#circumstances) return;
    this.#circumstances = now;
    this.reset();
  }

  #remember(namespace: string, { engine, refused }: Found): void {
    this.#memory.remember(
      namespace,
      engine,
      refused.map(({ refusal }) => refusal.sign),
    );
    const now = this.#memory.engine;
    if (now === undefined || now === this.#engine) return;
    this.#engine = now;
    if (refused[0] === undefined) return;
    this.#parts.log.info("Port-forwards go another way", { engine: now, because: refused[0].refusal.error.message });
  }
}

function wrongEngine(pod: PodRef, engine: EngineName): LocalizerError {
  const where = `Cannot forward to pod ${pod.namespace}/${pod.name}`;
  return new LocalizerError("unavailable", `${where}: the engine of this cluster is ${engine} now`);
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(LocalizerError.from(signal.reason, "aborted"));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
