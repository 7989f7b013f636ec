/** Which connection a request travels on: short calls on one, watches on others, each made when it is needed. */
import type { ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import { type Clock, withTimeout } from "../clock.ts";
import { throwIfAborted } from "../errors.ts";
import type { DialTarget } from "./dial.ts";
import { hostAndPort } from "./dial.ts";
import { defaultH2SessionOptions, type H2Session, type H2SessionOptions, openH2Session } from "./h2-session.ts";

/** What a stream is for: `call` ends soon, `watch` stays open. They never share a connection. */
export type StreamKind = "call" | "watch";

/** Settings of a pool. */
export interface SessionPoolOptions {
  /** Long streams on one connection, at most; 80 of the 100 that the API server allows. */
  readonly maxWatches: number;
  readonly connectTimeoutMs: number;
  readonly session: H2SessionOptions;
}

const defaults: SessionPoolOptions = {
  maxWatches: 80,
  connectTimeoutMs: 10_000,
  session: defaultH2SessionOptions,
};

/** Keeps the HTTP/2 connections to one API server. At rest, with watches only, it is one. */
export class SessionPool implements AsyncDisposable {
  readonly #target: DialTarget;
  readonly #clock: Clock;
  readonly #options: SessionPoolOptions;
  readonly #sessions: Record<StreamKind, Set<H2Session>> = { call: new Set(), watch: new Set() };
  readonly #opening = new Map<StreamKind, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(target: DialTarget, clock: Clock, options: Partial<SessionPoolOptions> = {}) {
    this.#target = target;
    this.#clock = clock;
    this.#options = { ...defaults, ...options };
  }

  /**
   * Opens a stream on a connection that has room, connecting first if there is none.
   * @throws LocalizerError as openH2Session; `timeout` when connecting takes too long; `aborted`
   */
  async open(
    kind: StreamKind,
    headers: OutgoingHttpHeaders,
    options: { endStream: boolean; signal?: AbortSignal | undefined },
  ): Promise<ClientHttp2Stream> {
    for (;;) {
      throwIfAborted(options.signal);
      throwIfAborted(this.#closing.signal);
      const session = this.#withRoom(kind);
      // No await between the choice and the use, or others would take the room.
      if (session !== undefined) return session.open(headers, options.endStream);
      await settled(this.#connect(kind), options.signal);
    }
  }

  /** Closes all connections; streams on them end with an error. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#opening.values());
    const all = [...this.#sessions.call, ...this.#sessions.watch];
    await Promise.all(all.map((session) => session[Symbol.asyncDispose]()));
  }

  #withRoom(kind: StreamKind): H2Session | undefined {
    for (const session of this.#sessions[kind]) {
      if (!session.usable) continue;
      // A server, or a proxy before it, may allow fewer than usual. Short calls may wait for a free stream.
      const room = Math.min(this.#options.maxWatches, Math.max(1, Math.floor(session.maxStreams * 0.8)));
      if (kind === "call" || session.streams < room) return session;
    }
    return undefined;
  }

  /** Many who wait share one attempt, which no single one of them can end. */
  #connect(kind: StreamKind): Promise<void> {
    let attempt = this.#opening.get(kind);
    if (attempt === undefined) {
      attempt = this.#openSession(kind).finally(() => this.#opening.delete(kind));
      this.#opening.set(kind, attempt);
    }
    return attempt;
  }

  async #openSession(kind: StreamKind): Promise<void> {
    const { host, port } = hostAndPort(this.#target.server);
    const action = `Cannot connect to the API server at ${host}:${port}`;
    const limits = { action, timeoutMs: this.#options.connectTimeoutMs, signal: this.#closing.signal };
    const session = await withTimeout(this.#clock, limits, (signal) =>
      openH2Session(this.#target, this.#clock, signal, this.#options.session),
    );
    this.#sessions[kind].add(session);
    session.onClose(() => this.#sessions[kind].delete(session));
  }
}

/** Waits for the promise, or throws `aborted` when the signal fires first. */
function settled(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      try {
        throwIfAborted(signal);
      } catch (error) {
        reject(error);
      }
    };
    signal?.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal?.removeEventListener("abort", stop));
  });
}
