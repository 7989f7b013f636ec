/**
 * One HTTP/2 session over a unix socket, opened when first needed and again after it has ended. In the place of
 * connect-node's own manager, which throws an uncaught error when it is aborted in the tick of a GOAWAY (2.2.0).
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from "node:http2";
import { connect } from "node:net";
import type { createGrpcTransport } from "@connectrpc/connect-node";
import { LocalizerError } from "../errors.ts";

// connect-node exports the type of the option, not of the manager.
type SessionManager = NonNullable<Parameters<typeof createGrpcTransport>[0]["sessionManager"]>;

/** Where connect-node gets its streams from. Disposing it ends the session and every stream of it. */
export class UnixSession implements SessionManager, Disposable {
  /** A unix socket has no host; `localhost` is what gRPC clients send, and what Node's server accepts. */
  readonly authority = "http://localhost";
  readonly #socketPath: string;
  #opening: Promise<ClientHttp2Session> | undefined;
  #session: ClientHttp2Session | undefined;
  #disposed = false;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Rejects with the system's error when nobody can be reached. */
  async request(
    method: string,
    path: string,
    headers: Parameters<SessionManager["request"]>[2],
    options: Parameters<SessionManager["request"]>[3],
  ): Promise<ClientHttp2Stream> {
    const session = await this.#ready();
    return session.request({ ...headers, ":method": method, ":path": path }, options);
  }

  /** Part of the interface; there is no keep-alive on a unix socket that would need it. */
  notifyResponseByteRead(): void {}

  get disposed(): boolean {
    return this.#disposed;
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    // Without an error, calls that wait would go on waiting.
    this.#session?.destroy(new LocalizerError("aborted", "Stopped"), constants.NGHTTP2_CANCEL);
  }

  #ready(): Promise<ClientHttp2Session> {
    if (this.#disposed) throw new LocalizerError("aborted", "Stopped");
    // `closed` holds from the server's GOAWAY on, while older streams may still end.
    const isUsable = this.#session !== undefined && !this.#session.closed && !this.#session.destroyed;
    if (this.#opening === undefined || !isUsable) this.#opening = this.#open();
    return this.#opening;
  }

  #open(): Promise<ClientHttp2Session> {
    const session = connectHttp2(this.authority, { createConnection: () => connect(this.#socketPath) });
    this.#session = session;
    return new Promise((resolve, reject) => {
      // Stays for good: streams hear of later errors themselves.
      session.on("error", reject);
      session.once("close", () => reject(new LocalizerError("unavailable", "The connection ended early")));
      session.once("connect", () => resolve(session));
    });
  }
}
