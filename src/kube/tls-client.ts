/** What TLS connections to one API server share: the parsed certificates, and the sessions to resume (RFC 8446 2.2). */
import { isIP } from "node:net";
import {
  type ConnectionOptions,
  checkServerIdentity,
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type TLSSocket,
} from "node:tls";
import { LocalizerError } from "../errors.ts";

/** Certificates as PEM. */
export interface TlsOptions {
  /** Who may have signed the server's certificate. Without it: whom Node and the system trust. */
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** The name that the server's certificate must bear, if not the host of its URL. */
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
}

/** The application protocol to agree on. Always one alone: an upgrade after "h2,http/1.1" is cut off (verified.md 1). */
export type Alpn = "h2" | "http/1.1";

/** Makes connection options and keeps sessions. One for each Cluster: a session stands for its certificates. */
export class TlsClient {
  readonly #tls: TlsOptions;
  readonly #sessions = new Map<Alpn, Buffer>();
  #context: SecureContext | undefined;

  constructor(tls: TlsOptions) {
    this.#tls = tls;
  }

  /**
   * Options for `tls.connect`, without host and port.
   * @throws LocalizerError `usage` when a certificate or key is no valid PEM, or the two do not belong together
   */
  connectOptions(host: string, alpn: Alpn): ConnectionOptions {
    const name = this.#tls.servername ?? host;
    const session = this.#sessions.get(alpn);
    return {
      secureContext: this.#secureContext(),
      ALPNProtocols: [alpn],
      rejectUnauthorized: this.#tls.rejectUnauthorized,
      // An address is no server name (RFC 6066 3), yet the certificate must bear it.
      ...(isIP(name) === 0 ? { servername: name } : {}),
      checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
      ...(session === undefined ? {} : { session }),
    };
  }

  /**
   * Keeps the session tickets that arrive on this socket. To be called once the server is known to be the right one:
   * Node does not check the name again when a session is resumed.
   */
  keepSessions(socket: TLSSocket, alpn: Alpn, early: Buffer | undefined): void {
    if (early !== undefined) this.#sessions.set(alpn, early);
    socket.on("session", (session) => this.#sessions.set(alpn, session));
  }

  #secureContext(): SecureContext {
    const { ca, cert, key } = this.#tls;
    try {
      this.#context ??= createSecureContext({
        ca: ca ?? this.#defaultAuthorities(),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
      });
      return this.#context;
    } catch (error) {
      throw LocalizerError.wrap(error, "Cannot use the certificates of the kubeconfig", "usage");
    }
  }

  /** kubectl trusts the system's authorities; Node alone would not. */
  #defaultAuthorities(): string[] {
    return [...new Set([...getCACertificates("default"), ...getCACertificates("system")])];
  }
}
