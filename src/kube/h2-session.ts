/** One HTTP/2 connection to the API server: its windows, its streams, and finding out that it is dead. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import { type DialTarget, dialApiServer, hostAndPort } from "./dial.ts";

/** When a connection counts as dead or as not needed. */
export interface H2SessionOptions {
  /** A PING goes out each time while streams are open. */
  readonly pingIntervalMs: number;
  /** After so many intervals in a row without a byte from the server the connection is given up. */
  readonly pingsLost: number;
  /** Without a stream for so long it is closed. */
  readonly idleMs: number;
}

/** A dead server is noticed after 8 to 12 s. Counting bytes, not answers, spares a slow link with a list under way. */
export const defaultH2SessionOptions: H2SessionOptions = { pingIntervalMs: 4_000, pingsLost: 2, idleMs: 30_000 };

/** Node's 64 KiB let a list crawl on a long link (data-path.md 4). */
const streamWindow = 1024 * 1024;
const sessionWindow = 8 * 1024 * 1024;

/**
 * Connects and agrees on HTTP/2.
 * @throws LocalizerError as dialApiServer; `unavailable` when a http:// server does not speak HTTP/2
 */
export async function openH2Session(
  target: DialTarget,
  clock: Clock,
  signal: AbortSignal | undefined,
  options: H2SessionOptions = defaultH2SessionOptions,
): Promise<H2Session> {
  const socket = await dialApiServer(target, { alpn: "h2", signal });
  const raw = connect(target.server.origin, {
    createConnection: () => socket,
    settings: { initialWindowSize: streamWindow, enablePush: false },
    maxSessionMemory: 64,
  });
  raw.on("error", () => {});
  try {
    // The server's first frame: in plain it shows what it speaks, and it says how many streams it allows. Opened
    // before that, those too many would be refused (REFUSED_STREAM).
    await remoteSettings(raw, signal);
  } catch (error) {
    raw.destroy();
    throwIfAborted(signal);
    const { host, port } = hostAndPort(target.server);
    const isTls = target.server.protocol === "https:";
    const reason = isTls ? "it hung up at once" : "it does not speak HTTP/2 without TLS";
    const sentence = `Cannot talk to the API server at ${host}:${port}: ${reason}`;
    throw new LocalizerError("unavailable", sentence, { cause: error });
  }
  raw.setLocalWindowSize(sessionWindow);
  return new H2Session(raw, socket, clock, options);
}

/** A live connection. Ends by itself when the server goes away, answers no more, or nothing was asked for a while. */
export class H2Session implements AsyncDisposable {
  readonly #raw: ClientHttp2Session;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #options: H2SessionOptions;
  #streams = 0;
  #leaving = false;
  #timer: Disposable | undefined;

  constructor(raw: ClientHttp2Session, socket: Socket, clock: Clock, options: H2SessionOptions) {
    this.#raw = raw;
    this.#socket = socket;
    this.#clock = clock;
    this.#options = options;
    raw.on("goaway", () => {
      this.#leaving = true;
    });
    raw.on("close", () => {
      this.#leaving = true;
      this.#timer?.[Symbol.dispose]();
    });
    this.#closeWhenIdle();
  }

  /** Takes new streams: neither closed nor told by the server to go elsewhere. */
  get usable(): boolean {
    return !this.#leaving && !this.#raw.closed && !this.#raw.destroyed;
  }

  /** Streams open now. */
  get streams(): number {
    return this.#streams;
  }

  /**
   * Streams that the server lets us have open at a time. At one more, the request gets neither an answer nor an
   * error: Node holds it back (decisions.md 21).
   */
  get maxStreams(): number {
    return this.#raw.remoteSettings.maxConcurrentStreams ?? 100;
  }

  /** Calls `listener` once, when the connection has ended. */
  onClose(listener: () => void): void {
    this.#raw.once("close", listener);
  }

  /** Opens a stream and sends its headers. An error handler that does nothing is attached. */
  open(headers: OutgoingHttpHeaders, endStream: boolean): ClientHttp2Stream {
    const stream = this.#raw.request(headers, { endStream });
    stream.on("error", () => {});
    this.#streams++;
    if (this.#streams === 1) this.#watchLiveness(-1, this.#socket.bytesRead);
    stream.once("close", () => {
      this.#streams--;
      if (this.#streams === 0) this.#closeWhenIdle();
    });
    return stream;
  }

  /** Closes at once; streams still open end with an error. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#leaving = true;
    this.#timer?.[Symbol.dispose]();
    if (this.#raw.destroyed) return;
    const closed = new Promise<void>((resolve) => this.#raw.once("close", () => resolve()));
    this.#raw.destroy();
    this.#socket.destroy();
    await closed;
  }

  /** @param silent intervals in a row without a byte; starts at -1, as in the first interval no PING is under way */
  #watchLiveness(silent: number, bytesBefore: number): void {
    this.#setTimer(this.#options.pingIntervalMs, () => {
      const bytes = this.#socket.bytesRead;
      const silentNow = bytes === bytesBefore ? silent + 1 : 0;
      if (silentNow >= this.#options.pingsLost) {
        this.#raw.destroy(new LocalizerError("unavailable", "The API server does not answer any more"));
        this.#socket.destroy();
        return;
      }
      if (!this.#raw.destroyed) this.#raw.ping(() => {});
      this.#watchLiveness(silentNow, bytes);
    });
  }

  #closeWhenIdle(): void {
    this.#setTimer(this.#options.idleMs, () => {
      this.#leaving = true;
      this.#raw.close();
    });
  }

  #setTimer(ms: number, run: () => void): void {
    this.#timer?.[Symbol.dispose]();
    if (this.#raw.destroyed) return;
    this.#timer = this.#clock.after(ms, run);
  }
}

function remoteSettings(raw: ClientHttp2Session, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error?: unknown) => finish(() => reject(error instanceof Error ? error : new Error("closed")));
    const succeed = () => finish(resolve);
    const finish = (settle: () => void) => {
      raw.off("remoteSettings", succeed);
      raw.off("error", fail);
      raw.off("close", fail);
      signal?.removeEventListener("abort", fail);
      settle();
    };
    raw.once("remoteSettings", succeed);
    raw.once("error", fail);
    raw.once("close", fail);
    if (signal?.aborted) fail();
    else signal?.addEventListener("abort", fail, { once: true });
  });
}
