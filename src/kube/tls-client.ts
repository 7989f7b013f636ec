/** What TLS connections to one API server share: the parsed certificates, and the sessions to resume (RFC 8446 2.2). */
import { isIP, type Socket } from "node:net";
import {
  type ConnectionOptions,
  checkServerIdentity,
  connect,
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type TLSSocket,
} from "node:tls";
import { LocalizerError } from "../errors.ts";
import type { ClientCertificate } from "./credentials.ts";
import type { Peer } from "./dial-error.ts";
import { established, type HostAndPort, tcpOptions } from "./tcp.ts";

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

/**
 * What to offer: `either` is HTTP/2 and HTTP/1.1, and the server chooses. For an upgrade HTTP/1.1 must be offered
 * alone: after a choice of HTTP/2 it is cut off (verified.md 1).
 */
export type Alpn = "either" | "http/1.1";

/** One connection to secure. */
export interface TlsConnect {
  /** The server; of it the name to check, unless `tls-server-name` says another. */
  readonly to: HostAndPort;
  readonly peer: Peer;
  readonly alpn: Alpn;
  /** A way to the server that is open already, through a proxy. Without it: by TCP. */
  readonly transport?: Socket | undefined;
  /** In the place of the kubeconfig's own. */
  readonly certificate?: ClientCertificate | undefined;
  readonly signal?: AbortSignal | undefined;
}

const offers: Readonly<Record<Alpn, string[]>> = { either: ["h2", "http/1.1"], "http/1.1": ["http/1.1"] };

/** Who we are on a connection, and the sessions that were made as such. */
interface Identity {
  readonly certificate: ClientCertificate | undefined;
  readonly context: SecureContext;
  readonly sessions: Map<Alpn, Buffer>;
}

/** Makes connections and keeps sessions. One for each Cluster: a session stands for its certificates. */
export class TlsClient {
  readonly #tls: TlsOptions;
  #identity: Identity | undefined;
  #proxyClient: TlsClient | undefined;

  constructor(tls: TlsOptions) {
    this.#tls = tls;
  }

  /**
   * Connects; resolves when the server's certificate is accepted. Throws as `established`, and:
   * @throws LocalizerError `usage` when a certificate or key is no valid PEM, or the two do not belong together
   */
  async connect({ to, peer, alpn, transport, certificate, signal }: TlsConnect): Promise<TLSSocket> {
    const identity = this.#identityOf(certificate);
    const way = transport === undefined ? tcpOptions(to) : { socket: transport };
    const socket = connect({ ...way, ...this.#options(identity, to.host, alpn) });
    if (transport !== undefined) socket.once("close", () => transport.destroy());
    let early: Buffer | undefined;
    const keepEarly = (session: Buffer) => {
      early = session;
    };
    socket.on("session", keepEarly);
    await established(socket, "secureConnect", peer, signal);
    socket.off("session", keepEarly);
    // Not before the server is known to be the right one: Node does not check the name again on resuming.
    if (early !== undefined) identity.sessions.set(alpn, early);
    socket.on("session", (session) => identity.sessions.set(alpn, session));
    return socket;
  }

  /**
   * For TLS to a proxy before the server. As in Go the kubeconfig's authority and client certificate are good for it
   * too; unlike there the system's authorities are trusted as well, since a proxy seldom has the cluster's.
   */
  get forProxy(): TlsClient {
    this.#proxyClient ??= new TlsClient(this.#proxyOptions());
    return this.#proxyClient;
  }

  #proxyOptions(): TlsOptions {
    const { servername: _ofServer, ca, ...rest } = this.#tls;
    if (ca === undefined) return rest;
    return { ...rest, ca: Buffer.from([ca.toString("latin1"), ...systemAuthorities()].join("\n"), "latin1") };
  }

  #options(identity: Identity, host: string, alpn: Alpn): ConnectionOptions {
    const name = this.#tls.servername ?? host;
    const session = identity.sessions.get(alpn);
    return {
      secureContext: identity.context,
      ALPNProtocols: offers[alpn],
      rejectUnauthorized: this.#tls.rejectUnauthorized,
      // An address is no server name (RFC 6066 3), yet the certificate must bear it.
      ...(isIP(name) === 0 ? { servername: name } : {}),
      checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
      ...(session === undefined ? {} : { session }),
    };
  }

  /** The last one is kept: a certificate that was renewed is not used again. */
  #identityOf(certificate: ClientCertificate | undefined): Identity {
    if (this.#identity === undefined || !sameCertificate(this.#identity.certificate, certificate)) {
      this.#identity = { certificate, context: this.#contextOf(certificate), sessions: new Map() };
    }
    return this.#identity;
  }

  #contextOf(certificate: ClientCertificate | undefined): SecureContext {
    const { ca, cert, key } = certificate === undefined ? this.#tls : { ca: this.#tls.ca, ...certificate };
    try {
      return createSecureContext({
        ca: ca ?? systemAuthorities(),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
      });
    } catch (error) {
      const whose =
        certificate === undefined ? "certificates of the kubeconfig" : "client certificate of the credential";
      throw LocalizerError.wrap(error, `Cannot use the ${whose}`, "usage");
    }
  }
}

/** Says whether a connection made with `a` is as good as one made with `b`. */
export function sameCertificate(a: ClientCertificate | undefined, b: ClientCertificate | undefined): boolean {
  if (a === b) return true;
  return a !== undefined && b !== undefined && a.cert.equals(b.cert) && a.key.equals(b.key);
}

/** kubectl trusts the system's authorities; Node alone would not. */
function systemAuthorities(): string[] {
  return [...new Set([...getCACertificates("default"), ...getCACertificates("system")])];
}
