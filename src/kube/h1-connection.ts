/** One HTTP/1.1 connection to the API server: one exchange at a time, kept for the next one for a while. */
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import type { ApiAnswer, ApiCall, StreamKind } from "./api-stream.ts";
import type { ClientCertificate } from "./credentials.ts";
import { h1Answer } from "./h1-answer.ts";

/** When a connection is given up. */
export interface H1Options {
  /** Unused for so long it is closed; sooner if the server says that it will do so itself. */
  readonly idleMs: number;
  /** A watch that brings no byte for so long is ended. Bookmarks come each minute. */
  readonly silenceMs: number;
}

/** Below the idle times of the usual gateways (60 s and more). */
export const defaultH1Options: H1Options = { idleMs: 30_000, silenceMs: 90_000 };

/** What a connection is made of. */
export interface H1Components {
  readonly socket: Socket;
  readonly server: URL;
  /** That it was made with. */
  readonly certificate: ClientCertificate | undefined;
  readonly clock: Clock;
}

/** A live connection. Idle at first. */
export class H1Connection implements AsyncDisposable {
  readonly protocol = "http/1.1";
  readonly certificate: ClientCertificate | undefined;
  readonly #components: H1Components;
  readonly #options: H1Options;
  readonly #idleListeners = new Set<() => void>();
  #kind: StreamKind | undefined;
  #isSpent = false;
  #answered = false;
  #idleTimer: Disposable | undefined;
  readonly #close = () => this.#spend();

  constructor(components: H1Components, options: H1Options = defaultH1Options) {
    this.#components = components;
    this.#options = options;
    this.certificate = components.certificate;
    components.socket.once("close", this.#close);
    this.#idle(options.idleMs);
  }

  /** What it is busy with. */
  get kind(): StreamKind | undefined {
    return this.#kind;
  }

  /** It has brought an answer at some time. */
  get answered(): boolean {
    return this.#answered;
  }

  /** It takes a request now. */
  hasRoom(): boolean {
    const { socket } = this.#components;
    return !this.#isSpent && this.#kind === undefined && socket.writable && !socket.destroyed;
  }

  /** Calls `listener` each time when it has become idle. */
  onIdle(listener: () => void): void {
    this.#idleListeners.add(listener);
  }

  /** Calls `listener` once, when the connection has ended. */
  onClose(listener: () => void): void {
    this.#components.socket.once("close", listener);
  }

  /** Sends a request. To be called only when there is room. */
  send(call: ApiCall): ApiAnswer {
    const { socket, server, clock } = this.#components;
    const { silenceMs, idleMs } = this.#options;
    const answer = h1Answer(
      {
        socket,
        server,
        clock,
        silenceMs,
        onAnswer: () => {
          this.#answered = true;
        },
        onEnd: (keptMs) => {
          this.#kind = undefined;
          if (keptMs === 0 || this.#isSpent) this.#spend();
          else this.#idle(Math.min(keptMs, idleMs));
        },
      },
      call,
    );
    this.#kind = call.kind;
    this.#idleTimer?.[Symbol.dispose]();
    socket.off("data", this.#close);
    socket.off("end", this.#close);
    return answer;
  }

  /** Closes at once; an exchange under way ends with an error. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { socket } = this.#components;
    if (socket.closed) return;
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    this.#spend();
    await closed;
  }

  #idle(ms: number): void {
    const { socket, clock } = this.#components;
    this.#idleTimer = clock.after(ms, this.#close);
    // Nobody asked anything: bytes are a mistake, and an end is one.
    socket.on("data", this.#close);
    socket.on("end", this.#close);
    for (const listener of this.#idleListeners) listener();
  }

  #spend(): void {
    this.#isSpent = true;
    this.#idleTimer?.[Symbol.dispose]();
    this.#components.socket.destroy();
  }
}
