/**
 * One connection's way to a pod: which is tried next, how often, how long. A pod that cannot be reached, refuses or is
 * gone before its first byte is followed by the next; whoever calls notices nothing but the time.
 */
import type { Socket } from "node:net";
import { withTimeout } from "../clock.ts";
import { type ErrorCode, LocalizerError, throwIfAborted } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { FarSide } from "../net/far-side.ts";
import type { ListenAddress } from "../net/listen.ts";
import type { Affinity } from "./affinity.ts";
import type { Balancer } from "./balancer.ts";
import { CallerWatch } from "./caller-watch.ts";
import { type CallerCounts, SaidSoFar, untilFirstByte } from "./first-byte.ts";
import type { ReadyPods } from "./ready-pods.ts";
import type { TunnelComponents } from "./tunnel-components.ts";

/** So long a connection waits for a pod that takes it, all tries together. */
const patienceMs = 5_000;

/** How often a pod is tried for one connection. */
const maxTries = 3;

/** How long a try may take while there is another pod to be tried: a dead node says nothing at all. */
const tryMs = 2_000;

/** Before the same pods are tried again. */
const retryMs = 500;

/** Failures that say nothing about the pod. */
const mayPass: ReadonlySet<ErrorCode> = new Set(["unavailable", "timeout"]);

/** Failures that every other pod would give too, now and later. */
const hopeless: ReadonlySet<ErrorCode> = new Set(["denied", "unauthenticated", "aborted"]);

/** What the connections of a port search with. */
export interface SearchComponents extends Pick<TunnelComponents, "dial" | "clock" | "peerEnd"> {
  readonly pods: ReadyPods;
  readonly balancer: Balancer;
  readonly affinity: Affinity;
}

/** One connection's question. */
export interface SearchOptions {
  readonly at: ListenAddress;
  /** As in `TunnelPortSpec`. */
  readonly affinityMs: number | undefined;
  /** Told of every pod before it is tried. */
  readonly onTry: (endpoint: Endpoint) => void;
  /** Ends it; aborted by the search itself when the caller breaks off. The connection's own: a signal for each would cost more. */
  readonly stop: AbortController;
  /** Told of what the connection does until a pod answers. */
  readonly counted?: CallerCounts & {
    /** A channel to the pod is open. */
    reached(far: FarSide): void;
  };
}

/** A pod that has taken the connection: its channel waits to be spliced. */
export interface FoundPod {
  readonly far: FarSide;
  /** Counts the connection in the balancer until disposed. */
  readonly held: Disposable;
}

/**
 * Finds a pod for the connection and carries what is said until the pod's first byte. A pod counts as used while it is
 * tried: a burst must spread. A pod that refused is tried last, and for a few seconds by other connections too.
 * @throws LocalizerError why the last pod failed, or that none is ready; `aborted` when the caller left or `stop` was aborted
 */
export async function findPod(local: Socket, components: SearchComponents, options: SearchOptions): Promise<FoundPod> {
  const { balancer, affinity, pods, clock, peerEnd } = components;
  const { affinityMs } = options;
  const { signal } = options.stop;
  const caller = affinityMs === undefined ? "" : (local.remoteAddress ?? "");
  const said = new SaidSoFar(options.counted);
  const search = new Search(components, options);
  for (;;) {
    const favourite = affinityMs === undefined ? undefined : affinity.podOf(caller, affinityMs);
    const { far, endpoint, held } = await reached(local, said, search, { balancer, favourite, options });
    options.counted?.reached(far);
    const taken = await untilFirstByte(local, far, said, { signal, clock, peerEnd });
    if (taken.kind === "answered") {
      pods.note(endpoint.pod.uid, true);
      if (affinityMs !== undefined) affinity.remember(caller, endpoint.pod.uid);
      return { far, held };
    }
    held[Symbol.dispose]();
    if (taken.kind === "left") throw new LocalizerError("aborted", "Stopped");
    if (!taken.mayReplay) throw taken.error;
    search.failed(endpoint, taken.error);
  }
}

/** The next pod whose channel opens. Until then the caller is heard; once he has left nothing is looked for any more. */
async function reached(
  local: Socket,
  said: SaidSoFar,
  search: Search,
  how: { readonly balancer: Balancer; readonly favourite: string | undefined; readonly options: SearchOptions },
): Promise<FoundPod & { readonly endpoint: Endpoint }> {
  const { balancer, favourite, options } = how;
  const { signal } = options.stop;
  using _watch = new CallerWatch(local, said, options.stop);
  for (;;) {
    const endpoint = await search.next(favourite, signal);
    options.onTry(endpoint);
    const held = balancer.hold(endpoint);
    try {
      return { far: await search.dial(endpoint, signal), endpoint, held };
    } catch (thrown) {
      held[Symbol.dispose]();
      throwIfAborted(signal);
      search.failed(endpoint, LocalizerError.from(thrown));
    }
  }
}

/** What is known of the pods that were tried for one connection. */
class Search {
  readonly #components: SearchComponents;
  readonly #options: SearchOptions;
  readonly #deadline: number;
  readonly #tried = new Set<string>();
  readonly #refused = new Set<string>();
  #tries = 0;
  #failure: LocalizerError | undefined;

  constructor(components: SearchComponents, options: SearchOptions) {
    this.#components = components;
    this.#options = options;
    this.#deadline = components.clock.monotonic() + patienceMs;
  }

  /** The pod to try; waits for one if need be. Throws why there is none. */
  async next(favourite: string | undefined, signal: AbortSignal): Promise<Endpoint> {
    for (;;) {
      throwIfAborted(signal);
      const endpoint = this.#pick(favourite);
      if (endpoint !== undefined) return endpoint;
      await this.#wait(signal);
    }
  }

  /** Dials for as long as patience lasts, and not for long while another pod could be tried instead. */
  async dial(endpoint: Endpoint, signal: AbortSignal): Promise<FarSide> {
    const { clock, dial, pods } = this.#components;
    const { namespace, name, uid } = endpoint.pod;
    const hasOther = pods.endpoints.some(({ pod }) => pod.uid !== uid && !this.#tried.has(pod.uid));
    const isLast = !hasOther || this.#tries + 1 >= maxTries;
    const timeoutMs = Math.max(1, Math.round(isLast ? this.#leftMs : Math.min(tryMs, this.#leftMs)));
    const action = `Cannot forward to ${namespace}/${name}:${endpoint.port}`;
    return await withTimeout(clock, { action, timeoutMs, signal }, (limited) => dial(endpoint, limited));
  }

  /** Takes note of it. Throws the failure when no other pod is to be tried. */
  failed({ pod }: Endpoint, failure: LocalizerError): void {
    this.#failure = failure;
    this.#tried.add(pod.uid);
    if (!hopeless.has(failure.code)) this.#components.pods.note(pod.uid, false);
    if (failure.code === "refused") this.#refused.add(pod.uid);
    if (hopeless.has(failure.code) || ++this.#tries >= maxTries || this.#leftMs <= 0) throw failure;
  }

  get #leftMs(): number {
    return this.#deadline - this.#components.clock.monotonic();
  }

  #pick(favourite: string | undefined): Endpoint | undefined {
    const { balancer, pods } = this.#components;
    const same = pods.endpoints.find(({ pod }) => pod.uid === favourite && !this.#tried.has(pod.uid));
    const last = this.#tried.union(this.#refused);
    return (
      same ??
      balancer.pick(pods.endpoints, last.union(pods.doubtful)) ??
      balancer.pick(pods.endpoints, last) ??
      balancer.pick(pods.endpoints, this.#tried)
    );
  }

  /** Until another pod may be there, or a failure have passed. */
  async #wait(signal: AbortSignal): Promise<void> {
    const { clock, pods } = this.#components;
    const { at } = this.#options;
    const failure = this.#failure;
    const isUp = this.#leftMs <= 0;
    const isTried = pods.endpoints.length > 0 && failure !== undefined;
    if (isTried && pods.endpoints.every(({ pod }) => this.#refused.has(pod.uid))) throw failure;
    if (isTried && !isUp && mayPass.has(failure.code)) {
      await clock.sleep(Math.min(retryMs, this.#leftMs), signal);
      this.#tried.clear();
      return;
    }
    const isChanged = !isUp && (await pods.changed(this.#leftMs, signal));
    if (!isChanged) {
      const sentence = `Cannot connect ${at.address}:${at.port}: no pod is ready`;
      throw failure ?? new LocalizerError("unavailable", sentence);
    }
  }
}
