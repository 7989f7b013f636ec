/** Which connection a request travels on; each is made when it is needed. */
import { type Clock, withTimeout } from "../clock.ts";
import { throwIfAborted } from "../errors.ts";
import type { ApiAnswer, ApiCall, StreamKind } from "./api-stream.ts";
import { type ApiConnection, openConnection } from "./connection.ts";
import type { ClientCertificate } from "./credentials.ts";
import { type DialTarget, type Protocol, peerOf } from "./dial.ts";
import { defaultH1Options, type H1Options } from "./h1-connection.ts";
import { defaultH2SessionOptions, type H2SessionOptions } from "./h2-session.ts";
import { sameCertificate } from "./tls-client.ts";

/** Settings of a pool. */
export interface SessionPoolOptions {
  readonly connectTimeoutMs: number;
  /** Short calls at a time, at most, where the server speaks HTTP/1.1 only; more of them wait. */
  readonly maxHttp1Calls: number;
  readonly session: Partial<H2SessionOptions>;
  readonly http1: Partial<H1Options>;
}

const defaults: SessionPoolOptions = { connectTimeoutMs: 10_000, maxHttp1Calls: 8, session: {}, http1: {} };

/** A connection being made. */
interface Attempt {
  readonly kind: StreamKind;
  readonly certificate: ClientCertificate | undefined;
  readonly done: Promise<void>;
}

/**
 * Keeps the connections to one API server. Over HTTP/2 short calls travel on one and watches on others: a server whose
 * stream limit is reached stops answering without a word. At rest, with watches only, it is one. Over HTTP/1.1 each
 * watch has its own, and short calls take turns on a few.
 */
export class SessionPool implements AsyncDisposable {
  readonly #target: DialTarget;
  readonly #clock: Clock;
  readonly #options: SessionPoolOptions;
  readonly #connections = new Set<ApiConnection>();
  readonly #attempts = new Set<Attempt>();
  readonly #closing = new AbortController();
  /** What the server spoke the last time. */
  #protocol: Protocol | undefined;
  #change = Promise.withResolvers<void>();

  constructor(target: DialTarget, clock: Clock, options: Partial<SessionPoolOptions> = {}) {
    this.#target = target;
    this.#clock = clock;
    this.#options = { ...defaults, ...options };
  }

  /**
   * Sends a request on a connection that has room, connecting first if there is none.
   * @param certificate of the credential: connections that were made with another are not used
   * @throws LocalizerError as openConnection; `timeout` when connecting takes too long; `aborted`
   */
  async send(call: ApiCall, certificate: ClientCertificate | undefined): Promise<ApiAnswer> {
    for (;;) {
      throwIfAborted(call.signal);
      throwIfAborted(this.#closing.signal);
      // No await between the choice and the use, or others would take the room.
      for (const connection of this.#connections) {
        if (connection.hasRoom(call.kind) && sameCertificate(connection.certificate, certificate)) {
          return connection.send(call);
        }
      }
      await settled(this.#room(call.kind, certificate), call.signal);
    }
  }

  /** Closes all connections; calls on them end with an error. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#wake();
    await Promise.allSettled([...this.#attempts].map(({ done }) => done));
    await Promise.all([...this.#connections].map((connection) => connection[Symbol.asyncDispose]()));
  }

  /** Resolves when it is worth looking for room again. */
  #room(kind: StreamKind, certificate: ClientCertificate | undefined): Promise<void> {
    if (this.#protocol === "http/1.1") {
      const isFull = kind === "call" && this.#http1Calls() >= this.#options.maxHttp1Calls;
      return isFull ? this.#change.promise : this.#connect(kind, certificate);
    }
    // Many who wait share one attempt, which no single one of them can end.
    for (const attempt of this.#attempts) {
      if (attempt.kind === kind && sameCertificate(attempt.certificate, certificate)) return attempt.done;
    }
    return this.#connect(kind, certificate);
  }

  #http1Calls(): number {
    const busy = [...this.#connections].filter((one) => one.protocol === "http/1.1" && one.kind === "call");
    return busy.length + [...this.#attempts].filter(({ kind }) => kind === "call").length;
  }

  #connect(kind: StreamKind, certificate: ClientCertificate | undefined): Promise<void> {
    const done = this.#open(kind, certificate).finally(() => {
      this.#attempts.delete(attempt);
      this.#wake();
    });
    const attempt = { kind, certificate, done };
    this.#attempts.add(attempt);
    return done;
  }

  async #open(kind: StreamKind, certificate: ClientCertificate | undefined): Promise<void> {
    const { connectTimeoutMs, session, http1 } = this.#options;
    const action = `Cannot connect to ${peerOf(this.#target).name}`;
    const limits = { action, timeoutMs: connectTimeoutMs, signal: this.#closing.signal };
    const options = {
      kind,
      certificate,
      known: this.#protocol,
      session: { ...defaultH2SessionOptions, ...session },
      http1: { ...defaultH1Options, ...http1 },
    };
    const connection = await withTimeout(this.#clock, limits, (signal) =>
      openConnection(this.#target, this.#clock, options, signal),
    );
    this.#protocol = connection.protocol;
    this.#connections.add(connection);
    connection.onClose(() => {
      this.#connections.delete(connection);
      // Without TLS the HTTP is a guess, and this was a wrong one.
      if (connection.protocol === "http/1.1" && !connection.answered) this.#protocol = undefined;
      this.#wake();
    });
    if (connection.protocol === "http/1.1") connection.onIdle(() => this.#wake());
  }

  #wake(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
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
