/** One HTTP/2 connection to the API server: its streams, and finding out that it is dead. */
import type { ClientHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { ApiAnswer, ApiCall, StreamKind } from "./api-stream.ts";
import type { ClientCertificate } from "./credentials.ts";
import { h2Answer } from "./h2-answer.ts";

/** When a connection counts as dead or as not needed. */
export interface H2SessionOptions {
  /** A PING goes out each time while streams are open. */
  readonly pingIntervalMs: number;
  /** After so many intervals in a row without a byte from the server the connection is given up. */
  readonly pingsLost: number;
  /** Without a stream for so long it is closed. */
  readonly idleMs: number;
  /** Watches at a time, at most; 80 of the 100 streams that the API server allows. */
  readonly maxWatches: number;
}

/** A dead server is noticed after 8 to 12 s. Counting bytes, not answers, spares a slow link with a list under way. */
export const defaultH2SessionOptions: H2SessionOptions = {
  pingIntervalMs: 4_000,
  pingsLost: 2,
  idleMs: 10_000,
  maxWatches: 80,
};

/** What a connection is made of. */
export interface H2Components {
  readonly socket: Socket;
  readonly server: URL;
  /** That it was made with. */
  readonly certificate: ClientCertificate | undefined;
  /** What it is for. */
  readonly kind: StreamKind;
  readonly clock: Clock;
}

/** A live connection. Ends by itself when the server goes away, answers no more, or nothing was asked for a while. */
export class H2Session implements AsyncDisposable {
  readonly protocol = "h2";
  readonly certificate: ClientCertificate | undefined;
  readonly #raw: ClientHttp2Session;
  readonly #kind: StreamKind;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #options: H2SessionOptions;
  #streams = 0;
  #leaving = false;
  #timer: Disposable | undefined;

  constructor(raw: ClientHttp2Session, components: H2Components, options: H2SessionOptions) {
    this.#raw = raw;
    this.#kind = components.kind;
    this.#socket = components.socket;
    this.#clock = components.clock;
    this.#options = options;
    this.certificate = components.certificate;
    components.socket.once("error", (error) => raw.destroy(error));
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

  /**
   * It takes a call of this kind now. Watches leave a fifth of the streams free that the server lets us have open at a
   * time: at one too many, the request gets neither an answer nor an error, because Node holds it back (decisions.md
   * 21). Short calls may wait for a free stream.
   */
  hasRoom(kind: StreamKind): boolean {
    if (!this.usable || kind !== this.#kind) return false;
    const allowed = this.#raw.remoteSettings.maxConcurrentStreams ?? 100;
    return (
      kind === "call" || this.#streams < Math.min(this.#options.maxWatches, Math.max(1, Math.floor(allowed * 0.8)))
    );
  }

  /** Calls `listener` once, when the connection has ended. */
  onClose(listener: () => void): void {
    this.#raw.once("close", listener);
  }

  /** Sends a request on a stream of its own. To be called only when there is room. */
  send(call: ApiCall): ApiAnswer {
    const headers = { ":method": call.method, ":path": call.path, ...call.headers };
    // Node ends GET and DELETE at once unless told otherwise, and then has nowhere to put a body.
    const stream = this.#raw.request(headers, { endStream: call.body === undefined });
    stream.on("error", () => {});
    this.#streams++;
    if (this.#streams === 1) this.#watchLiveness(-1, this.#socket.bytesRead);
    stream.once("close", () => {
      this.#streams--;
      if (this.#streams === 0) this.#closeWhenIdle();
    });
    const answer = h2Answer(stream, call);
    if (call.body !== undefined) stream.end(call.body);
    return answer;
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
