/** One listener of a tunnel and the connections that came in through it. */
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ErrorCode, LocalizerError, throwIfAborted } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { ListenAddress, Listener } from "../net/listen.ts";
import { resetSocket, splice } from "../net/splice.ts";
import type { Balancer } from "./balancer.ts";
import type { TunnelComponents, TunnelPortStatus } from "./tunnel-components.ts";

/** A connection that finds no ready pod waits so long for one, all tries together. */
const patienceMs = 5_000;

/** How often a pod is tried for one connection. */
const maxTries = 3;

/** Before the same pods are tried again. */
const retryMs = 500;

/** Failures that say nothing about the pod. */
const mayPass: ReadonlySet<ErrorCode> = new Set(["unavailable", "timeout"]);

/** Made by Tunnel. */
export class TunnelPort implements AsyncDisposable {
  readonly #components: TunnelComponents;
  readonly #at: ListenAddress;
  readonly #balancer: Balancer;
  readonly #stop = new AbortController();
  readonly #live = new Set<Promise<void>>();
  readonly #waiting = new Set<() => void>();
  #endpoints: readonly Endpoint[];
  #newest: Endpoint | undefined;
  #lastError: LocalizerError | undefined;
  #listener: Listener | undefined;

  private constructor(
    components: TunnelComponents,
    at: ListenAddress,
    options: { endpoints: readonly Endpoint[]; balancer: Balancer },
  ) {
    this.#components = components;
    this.#at = at;
    this.#endpoints = options.endpoints;
    this.#balancer = options.balancer;
  }

  /** @throws LocalizerError as `Listen` does */
  static async open(
    components: TunnelComponents,
    at: ListenAddress,
    options: { endpoints: readonly Endpoint[]; balancer: Balancer },
    signal?: AbortSignal,
  ): Promise<TunnelPort> {
    const port = new TunnelPort(components, at, options);
    port.#listener = await components.listen(at, (socket) => port.#accept(socket), signal);
    return port;
  }

  get status(): TunnelPortStatus {
    const newest = this.#endpoints.find(({ pod }) => pod.uid === this.#newest?.pod.uid);
    return {
      port: this.#at.port,
      state: this.#endpoints.length > 0 ? "listening" : "waiting",
      at: this.#listener?.at,
      bindError: undefined,
      endpoint: newest ?? this.#endpoints[0],
      ready: this.#endpoints.length,
      connections: this.#live.size,
      lastError: this.#lastError,
    };
  }

  /** Where new connections go from now on. Open ones stay where they are. */
  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.#endpoints = endpoints;
    for (const wake of this.#waiting) wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#listener?.[Symbol.asyncDispose]();
    await Promise.all(this.#live);
  }

  #accept(local: Socket): void {
    if (this.#stop.signal.aborted) {
      local.resetAndDestroy();
      return;
    }
    const served = this.#serve(local).finally(() => this.#live.delete(served));
    this.#live.add(served);
  }

  /** Never rejects. */
  async #serve(local: Socket): Promise<void> {
    const { clock, log } = this.#components;
    const { signal } = this.#stop;
    let error: LocalizerError | undefined;
    try {
      const { far, held } = await this.#connect(signal);
      using _held = held;
      const result = await splice(local, far, { clock, signal });
      // An answer is the proof that what was wrong is right again.
      if (result.bytesDown > 0) this.#lastError = undefined;
      error = result.error;
    } catch (thrown) {
      error = LocalizerError.from(thrown);
      resetSocket(local);
    }
    if (error === undefined || error.code === "aborted" || signal.aborted) return;
    // Said once; a client that tries again and again shall not fill the log.
    const level = this.#lastError?.message === error.message ? "debug" : "warn";
    this.#lastError = error;
    log[level]("Connection failed", { address: this.#at.address, port: this.#at.port, error });
  }

  /** Tries ready pods in turn until one opens. A pod counts as used while it is tried: a burst must spread. */
  async #connect(signal: AbortSignal): Promise<{ far: Duplex; held: Disposable }> {
    const { clock, dial } = this.#components;
    const deadline = clock.monotonic() + patienceMs;
    const tried = new Set<string>();
    let tries = 0;
    let failure: LocalizerError | undefined;
    for (;;) {
      throwIfAborted(signal);
      const endpoint = this.#balancer.pick(this.#endpoints, tried);
      if (endpoint === undefined) {
        const leftMs = deadline - clock.monotonic();
        const mayRepeat = this.#endpoints.length > 0 && failure !== undefined && mayPass.has(failure.code);
        if (mayRepeat && leftMs > 0) {
          // The reason may pass (the API server restarts, say): the same pods again.
          await clock.sleep(Math.min(retryMs, leftMs), signal);
          tried.clear();
        } else await this.#endpointsChanged(leftMs, signal, failure);
        continue;
      }
      this.#newest = endpoint;
      const held = this.#balancer.hold(endpoint);
      try {
        return { far: await dial(endpoint, signal), held };
      } catch (thrown) {
        held[Symbol.dispose]();
        failure = LocalizerError.from(thrown);
        tried.add(endpoint.pod.uid);
        const hopeless = failure.code === "denied" || failure.code === "aborted" || ++tries >= maxTries;
        if (hopeless || clock.monotonic() >= deadline) throw failure;
      }
    }
  }

  /** Waits for other endpoints; when the time is up it throws why the last pod failed, if one was tried. */
  async #endpointsChanged(ms: number, signal: AbortSignal, failure: LocalizerError | undefined): Promise<void> {
    const { address, port } = this.#at;
    const timeUp = failure ?? new LocalizerError("unavailable", `Cannot connect ${address}:${port}: no pod is ready`);
    if (ms <= 0) throw timeUp;
    await new Promise<void>((resolve, reject) => {
      const finish = (settle: () => void) => {
        timer[Symbol.dispose]();
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", stop);
        settle();
      };
      const wake = () => finish(resolve);
      const stop = () => finish(() => reject(new LocalizerError("aborted", "Stopped")));
      const timer = this.#components.clock.after(ms, () => finish(() => reject(timeUp)));
      this.#waiting.add(wake);
      signal.addEventListener("abort", stop, { once: true });
    });
  }
}
