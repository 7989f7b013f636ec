/**
 * Which engine a cluster's port-forwards go by: the first of POST SPDY, GET SPDY, SPDY in WebSocket and v4 channels that
 * works is remembered for the cluster. Promises that a pod's own failure changes nothing and holds nobody else up for long,
 * that what a gateway refuses leads on, and that connections made at once share one search. Used by the daemon, for the
 * pool, and by engine-dialer.
 */
import type { Clock } from "../clock.ts";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import type { Logger } from "../log.ts";
import type { Endpoint, PodRef } from "../model/endpoint.ts";
import type { EngineName } from "../model/engine-name.ts";
import type { Port } from "../model/port.ts";
import { ChannelLimit } from "./channel-limit.ts";
import { EngineMemory } from "./engine-memory.ts";
import { type Found, type Search, searchEngine } from "./engine-search.ts";
import { carrierOf } from "./engines.ts";
import { SpdyConnection } from "./spdy-connection.ts";
import { changesEngine, failure, type RefusedEngine, tryEngine } from "./try-engine.ts";
import type { Upgraded } from "./upgrade.ts";
import { V4Channel } from "./v4-channel.ts";

/** So long a search for another pod is waited for: it may be a pod on a dead node. */
const othersSearchMs = 1_000;

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
}

/** Nothing is opened before the first call. `engine`: this one and no other; without it the choice is made. */
export function podConnector(parts: PodConnectorParts, engine?: EngineName | undefined): PodConnector {
  return new EngineChoice(parts, engine);
}

interface Opened {
  readonly engine: EngineName;
  readonly upgraded: Upgraded;
}

/** What a caller wants. */
interface Wish {
  readonly pod: PodRef;
  readonly signal: AbortSignal;
  /** For `v4`; without it one that no pod listens on. */
  readonly port?: Port;
}

class EngineChoice implements PodConnector {
  readonly #parts: PodConnectorParts;
  readonly #forced: EngineName | undefined;
  readonly #memory: EngineMemory;
  readonly #channels: ChannelLimit;
  readonly #stop = new AbortController();
  /** Those under way, one for a pod; by UID. They have been remembered when they end. */
  readonly #searches = new Map<string, Promise<Search>>();
  /** Tells who waits of the next search that ends. */
  #next = Promise.withResolvers<Search | undefined>();
  #engine: EngineName | undefined;

  constructor(parts: PodConnectorParts, forced: EngineName | undefined) {
    this.#parts = parts;
    this.#forced = forced;
    this.#engine = forced;
    this.#memory = new EngineMemory(parts.clock);
    this.#channels = new ChannelLimit(parts.clock);
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
    if (this.engineFor(pod) === "v4") throw wrongEngine(pod, "v4");
    const { engine, upgraded } = await this.#open({ pod, signal });
    if (engine !== "v4") return new SpdyConnection(upgraded.socket, upgraded.head, this.#parts.clock);
    upgraded.socket.destroy();
    throw wrongEngine(pod, engine);
  }

  async dial(endpoint: Endpoint, signal: AbortSignal): Promise<V4Channel> {
    const { pod, port } = endpoint;
    const known = this.engineFor(pod);
    if (known !== undefined && known !== "v4") throw wrongEngine(pod, known);
    const upgraded = await this.#channels.hold(endpoint, signal, async () => {
      for (;;) {
        const opened = await this.#open({ pod, signal, port });
        if (opened.engine === "v4" && !opened.upgraded.socket.destroyed) return opened.upgraded;
        opened.upgraded.socket.destroy();
        if (opened.engine !== "v4") throw wrongEngine(pod, opened.engine);
        // A search has just found it, with a port that nobody listens on.
      }
    });
    return new V4Channel(upgraded, endpoint, this.#parts);
  }

  async probe(pod: PodRef, signal: AbortSignal): Promise<void> {
    const { upgraded } = await this.#open({ pod, signal });
    upgraded.socket.destroy();
  }

  reset(): void {
    this.#memory.clear();
    this.#searches.clear();
    this.#tell(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#channels[Symbol.dispose]();
    await Promise.all(this.#searches.values());
  }

  async #open(wish: Wish): Promise<Opened> {
    const { pod, signal, port } = wish;
    throwIfAborted(signal);
    const engine = this.engineFor(pod);
    if (engine === undefined) return await this.#searched(wish);
    const outcome = await tryEngine(engine, this.#parts, pod, { signal, port }).catch((error: unknown) => {
      throw failure(pod, [], error);
    });
    if (outcome.sign === undefined) {
      this.#memory.worked(engine);
      return { engine, upgraded: carrierOf(engine, outcome) };
    }
    const refused = { engine, refusal: outcome };
    if (this.#forced !== undefined || !changesEngine(outcome.sign)) throw failure(pod, [refused]);
    return await this.#searched(wish, refused);
  }

  /** By the search for this pod, or by what a search for another one finds out in good time. */
  async #searched(wish: Wish, refused?: RefusedEngine): Promise<Opened> {
    const { pod, signal } = wish;
    const { clock } = this.#parts;
    const patientUntilMs = clock.monotonic() + othersSearchMs;
    for (;;) {
      const own = this.#searches.get(pod.uid);
      const waitMs = patientUntilMs - clock.monotonic();
      if (own === undefined && (this.#searches.size === 0 || waitMs <= 0)) return await this.#search(wish, refused);
      const search = await (own === undefined ? this.#nextSearch(waitMs, signal) : unlessAborted(own, signal));
      const isForThis = own !== undefined || (search?.kind === "failed" && search.isEverywhere);
      if (search?.kind === "failed" && isForThis) throw failure(pod, search.refused, search.error);
      if (search?.kind === "found" && this.engineFor(pod) !== undefined) return await this.#open(wish);
    }
  }

  /** What the next search to end says; undefined when none does in this time. */
  async #nextSearch(ms: number, signal: AbortSignal): Promise<Search | undefined> {
    const timeUp = Promise.withResolvers<undefined>();
    using _timer = this.#parts.clock.after(ms, () => timeUp.resolve(undefined));
    return await unlessAborted(Promise.race([this.#next.promise, timeUp.promise]), signal);
  }

  #tell(search: Search | undefined): void {
    this.#next.resolve(search);
    this.#next = Promise.withResolvers();
  }

  async #search(wish: Wish, refused: RefusedEngine | undefined): Promise<Opened> {
    const { pod, signal } = wish;
    const { round } = this.#memory;
    // Not with the caller's signal: others wait for it too, and what is found is of use though the caller has left.
    const searching = searchEngine(this.#parts, pod, { signal: this.#stop.signal, refused }).then((search) => {
      if (this.#searches.get(pod.uid) === searching) this.#searches.delete(pod.uid);
      if (this.#memory.round === round) {
        if (search.kind === "found") this.#remember(pod, search);
        this.#tell(search);
      }
      // Nobody may be there any more who would.
      if (signal.aborted && search.kind === "found") search.upgraded.socket.destroy();
      return search;
    });
    this.#searches.set(pod.uid, searching);
    const search = await unlessAborted(searching, signal);
    if (search.kind === "failed") throw failure(pod, search.refused, search.error);
    // It may have died while a better one was tried. Of `v4` it is closed in any case.
    const isDead = search.engine !== "v4" && search.upgraded.socket.destroyed;
    if (this.#memory.round === round && !isDead) return search;
    search.upgraded.socket.destroy();
    return await this.#open(wish);
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
