/**
 * Calls to the API server: short ones that answer JSON, and watches that answer one JSON object a line.
 * Promises a deadline on every short call, a LocalizerError with a meaning for every failure, and no watch that
 * hangs on a dead connection. Used by the reflector and by everything else that reads or writes objects.
 */
import type { ClientHttp2Stream } from "node:http2";
import { type Clock, withTimeout } from "../clock.ts";
import { throwIfAborted } from "../errors.ts";
import { statusError } from "./api-status.ts";
import { mayRepeat, parseJson, readBody, startAnswer } from "./api-stream.ts";
import type { Cluster } from "./kubeconfig.ts";
import { SessionPool, type SessionPoolOptions, type StreamKind } from "./session-pool.ts";
import { readWatchEvents, type WatchEvent } from "./watch-events.ts";

/** A short call. */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** From "/api" or "/apis" on, with the query; the server's own path prefix is put before it. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Of the body; `application/json` unless given (a patch needs its own). */
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
  /** 15,000 unless given. */
  readonly timeoutMs?: number;
}

/** How a watch is run. */
export interface WatchOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once, when the server has accepted the watch. */
  readonly onOpen?: () => void;
}

/** What is handed to a client. */
export interface ApiClientComponents {
  readonly cluster: Cluster;
  readonly clock: Clock;
}

/** Settings of a client. */
export interface ApiClientOptions {
  /** Of localizer, for the User-Agent. */
  readonly version: string;
  readonly pool?: Partial<SessionPoolOptions>;
}

const defaultTimeoutMs = 15_000;

/** A client of one cluster's API. Connects when first used, and again whenever a connection was lost. */
export class ApiClient implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  readonly #userAgent: string;
  readonly #pool: SessionPool;

  constructor({ cluster, clock }: ApiClientComponents, { version, pool }: ApiClientOptions) {
    this.#cluster = cluster;
    this.#clock = clock;
    this.#userAgent = `localizer/${version}`;
    this.#pool = new SessionPool(cluster, clock, pool);
  }

  /** GETs an object or a list, gzipped on the way if it is large. Throws as `request`. */
  getJson(path: string, options: Pick<ApiRequest, "signal" | "timeoutMs"> = {}): Promise<unknown> {
    return this.request({ method: "GET", path, ...options });
  }

  /**
   * Sends a request and gives the parsed answer; undefined when it has no body. Sent a second time only if the first
   * certainly did nothing: it was a GET, or the server never took it.
   * @throws LocalizerError `denied`, `not-found`, `conflict`, `expired`, `internal` (the server calls the request
   * wrong) or `unavailable` by HTTP status, all with an ApiStatus (apiStatusOf); `unavailable` when it cannot be
   * reached or talks nonsense, `timeout`, `aborted`
   */
  async request(request: ApiRequest): Promise<unknown> {
    const action = `Cannot ${request.method.toLowerCase()} ${pathOnly(request.path)}`;
    const limits = { action, timeoutMs: request.timeoutMs ?? defaultTimeoutMs, signal: request.signal };
    return await withTimeout(this.#clock, limits, async (signal) => {
      try {
        return await this.#exchange(request, action, signal);
      } catch (error) {
        if (signal.aborted || !mayRepeat(error, request.method === "GET")) throw error;
        return await this.#exchange(request, action, signal);
      }
    });
  }

  /**
   * Watches: one event at a time, as fast as they are taken. Ends when the server ends the watch in good order.
   * @param path of a list, with `watch=1` and the other parameters of the API's watch
   * @throws LocalizerError as `request`; `expired` when the version is too old, said as HTTP 410 or by an ERROR event;
   * `unavailable` when the connection is lost or the text is no JSON; `aborted` when the signal fires
   */
  async *watch(path: string, options: WatchOptions = {}): AsyncGenerator<WatchEvent, void, undefined> {
    const action = `Cannot watch ${pathOnly(path)}`;
    const stream = await this.#send("watch", { method: "GET", path }, {}, options.signal);
    using answer = startAnswer(stream, action, options.signal);
    const { status, retryAfter } = await answer.head;
    if (status !== 200) throw statusError(action, status, parseStatus(await readBody(answer)), retryAfter);
    options.onOpen?.();
    yield* readWatchEvents(answer, action);
    throwIfAborted(options.signal);
  }

  /** Closes the connections. Whatever is under way fails with `unavailable` or `aborted`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }

  async #exchange(request: ApiRequest, action: string, signal: AbortSignal): Promise<unknown> {
    const headers = request.method === "GET" ? { "accept-encoding": "gzip" } : {};
    const stream = await this.#send("call", request, headers, signal);
    using answer = startAnswer(stream, action, signal);
    const { status, retryAfter } = await answer.head;
    const body = await readBody(answer);
    if (status < 200 || status > 299) throw statusError(action, status, parseStatus(body), retryAfter);
    return body.length === 0 ? undefined : parseJson(body, action);
  }

  async #send(
    kind: StreamKind,
    request: ApiRequest,
    extra: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<ClientHttp2Stream> {
    const credential = await this.#cluster.credentials.current(signal);
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const headers = {
      ":method": request.method,
      ":path": this.#cluster.server.pathname.replace(/\/$/, "") + request.path,
      accept: "application/json",
      "user-agent": this.#userAgent,
      ...extra,
      ...credential.headers,
      ...(body === undefined ? {} : { "content-type": request.contentType ?? "application/json" }),
      ...(body === undefined ? {} : { "content-length": body.length }),
    };
    // Node ends GET and DELETE at once unless told otherwise, and then has nowhere to put a body.
    const stream = await this.#pool.open(kind, headers, { endStream: body === undefined, signal });
    if (body !== undefined) stream.end(body);
    return stream;
  }
}

function parseStatus(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    // Proxies answer in HTML: the HTTP status must do.
    return undefined;
  }
}

function pathOnly(path: string): string {
  return path.split("?", 1)[0] ?? path;
}
