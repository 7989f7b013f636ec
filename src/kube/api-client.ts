/**
 * Calls to the API server: short ones that answer JSON, and watches that answer one JSON object a line.
 * Promises a deadline on every short call, a LocalizerError with a meaning for every failure, and no watch that
 * hangs on a dead connection. Used by the reflector and by everything else that reads or writes objects.
 */
import { type Clock, withTimeout } from "../clock.ts";
import { throwIfAborted } from "../errors.ts";
import { statusError } from "./api-status.ts";
import { type ApiAnswer, type ApiCall, parseJson, readBody } from "./api-stream.ts";
import type { Credential } from "./credentials.ts";
import type { Cluster } from "./kubeconfig.ts";
import { type ListAnswer, readList } from "./read-list.ts";
import { repeatLost } from "./repeat-lost.ts";
import { SessionPool, type SessionPoolOptions } from "./session-pool.ts";
import { userAgent } from "./user-agent.ts";
import { readWatchEvents, type WatchEvent } from "./watch-events.ts";
import { withCredential } from "./with-credential.ts";

/** A short call. */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** From "/api" or "/apis" on, with the query; the server's own path prefix is put before it. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Of the body; `application/json` unless given (a patch needs its own). */
  readonly contentType?: string;
  /** What the answer may be; `application/json` unless given. */
  readonly accept?: string;
  readonly signal?: AbortSignal | undefined;
  /** 15,000 unless given. Time in which somebody logs in does not count. */
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

/** Takes the body of an answer that says yes. */
type ReadAnswer<T> = (answer: ApiAnswer, action: string) => Promise<T>;

const defaultTimeoutMs = 15_000;
/** The server accepts a watch at once, whether there is something to say or not. */
const openTimeoutMs = 30_000;

/** A client of one cluster's API. Connects when first used, and again whenever a connection was lost. */
export class ApiClient implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  readonly #userAgent: string;
  readonly #pool: SessionPool;

  constructor({ cluster, clock }: ApiClientComponents, { version, pool }: ApiClientOptions) {
    this.#cluster = cluster;
    this.#clock = clock;
    this.#userAgent = userAgent(version);
    this.#pool = new SessionPool(cluster, clock, pool);
  }

  /** GETs an object or a short list, gzipped on the way if it is large. Throws as `request`. */
  getJson(path: string, options: Pick<ApiRequest, "signal" | "timeoutMs"> = {}): Promise<unknown> {
    return this.request({ method: "GET", path, ...options });
  }

  /**
   * GETs a list, however long, without holding others up: `read` gets one item after the other. If the connection is lost
   * on the way it begins anew, and what was read counts for nothing. Throws as `request`.
   */
  async getList<T>(
    path: string,
    read: (item: unknown) => T,
    options: Pick<ApiRequest, "signal" | "timeoutMs"> = {},
  ): Promise<ListAnswer<T>> {
    const request = { method: "GET", path, ...options } as const;
    return await this.#answered(request, (answer, action) => readList(answer, action, read));
  }

  /**
   * Sends a request and gives the parsed answer; undefined when it has no body. Sent again only if the first certainly
   * did nothing: it was a GET, the server never took it, or it did not know us (401) and the credential could be renewed.
   * @throws LocalizerError `unauthenticated`, `denied`, `not-found`, `conflict`, `expired`, `internal` (the server calls the request
   * wrong) or `unavailable` by HTTP status, all with an ApiStatus (apiStatusOf); `unavailable` when it cannot be
   * reached or talks nonsense, `timeout`, `aborted`
   */
  async request(request: ApiRequest): Promise<unknown> {
    return await this.#answered(request, async (answer, action) => {
      const text = await readBody(answer, action);
      return text.length === 0 ? undefined : parseJson(text, action);
    });
  }

  /**
   * Watches: one event at a time, as fast as they are taken. Ends when the server ends the watch in good order, and over
   * HTTP/1.1, which knows no PING, also after 90 s without a byte: the next watch then shows whether the server lives.
   * @param path of a list, with `watch=1` and the other parameters of the API's watch
   * @throws LocalizerError as `request`; `timeout` when it is not accepted in 30 s; `expired` when the version is too old, said as HTTP 410 or by an ERROR event;
   * `unavailable` when the connection is lost or the text is no JSON; `aborted` when the signal fires
   */
  async *watch(path: string, options: WatchOptions = {}): AsyncGenerator<WatchEvent, void, undefined> {
    const action = `Cannot watch ${pathOnly(path)}`;
    const limits = { action, timeoutMs: openTimeoutMs, signal: options.signal };
    using answer = await this.#within(limits, false, (credential, signal) =>
      this.#openWatch({ kind: "watch", method: "GET", path, headers: {}, action, signal }, credential),
    );
    options.onOpen?.();
    yield* readWatchEvents(answer, action);
    throwIfAborted(options.signal);
  }

  /** Closes the connections. Whatever is under way fails with `unavailable` or `aborted`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }

  /** The time runs from when there is a credential. The signal of the work ends with the caller's even after it. */
  async #within<T>(
    limits: { action: string; timeoutMs: number; signal: AbortSignal | undefined },
    isHarmless: boolean,
    work: (credential: Credential, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const clock = this.#clock;
    return await withCredential(this.#cluster.credentials, { ...limits, clock }, (credential) =>
      withTimeout(clock, limits, (limited) => {
        // That of withTimeout follows the caller's only until the work is done, and a watch goes on after it.
        const signal = limits.signal === undefined ? limited : AbortSignal.any([limits.signal, limited]);
        return repeatLost({ clock, signal }, isHarmless, () => work(credential, signal));
      }),
    );
  }

  /** Sends a request, and again as `request` says, until an answer that says yes was read. */
  async #answered<T>(request: ApiRequest, read: ReadAnswer<T>): Promise<T> {
    const action = `Cannot ${request.method.toLowerCase()} ${pathOnly(request.path)}`;
    const limits = { action, timeoutMs: request.timeoutMs ?? defaultTimeoutMs, signal: request.signal };
    return await this.#within(limits, request.method === "GET", (credential, signal) =>
      this.#exchange({ ...request, signal }, action, credential, read),
    );
  }

  async #exchange<T>(request: ApiRequest, action: string, credential: Credential, read: ReadAnswer<T>): Promise<T> {
    const { method, path, signal } = request;
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const headers = {
      ...(request.accept === undefined ? {} : { accept: request.accept }),
      ...(method === "GET" ? { "accept-encoding": "gzip" } : {}),
      ...(body === undefined ? {} : { "content-type": request.contentType ?? "application/json" }),
      ...(body === undefined ? {} : { "content-length": String(body.length) }),
    };
    using answer = await this.#send({ kind: "call", method, path, headers, body, action, signal }, credential);
    const { status, retryAfter } = await answer.head;
    if (status >= 200 && status <= 299) return await read(answer, action);
    throw statusError(action, status, parseStatus(await readBody(answer, action)), retryAfter);
  }

  /** Gives the answer of a watch that is accepted. */
  async #openWatch(call: ApiCall, credential: Credential): Promise<ApiAnswer> {
    const answer = await this.#send(call, credential);
    try {
      const { status, retryAfter } = await answer.head;
      if (status === 200) return answer;
      throw statusError(call.action, status, parseStatus(await readBody(answer, call.action)), retryAfter);
    } catch (error) {
      answer[Symbol.dispose]();
      throw error;
    }
  }

  #send(call: ApiCall, credential: Credential): Promise<ApiAnswer> {
    const path = this.#cluster.server.pathname.replace(/\/$/, "") + call.path;
    const own = { accept: "application/json", "user-agent": this.#userAgent };
    const headers = { ...own, ...call.headers, ...credential.headers };
    return this.#pool.send({ ...call, path, headers }, credential.certificate);
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
