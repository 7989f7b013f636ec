/** The way to the API server: one TCP or TLS connection, past a proxy if there is one, with errors that say what is wrong. */
import type { Socket } from "node:net";
import { throwIfAborted } from "../errors.ts";
import type { ClientCertificate } from "./credentials.ts";
import type { Peer } from "./dial-error.ts";
import type { Cluster } from "./kubeconfig.ts";
import { connectThroughProxy, nameOfProxy } from "./proxy.ts";
import { connectTcp, formatHostAndPort, type HostAndPort } from "./tcp.ts";
import { type Alpn, TlsClient } from "./tls-client.ts";

/** What the connection is for. */
export interface DialOptions {
  /** `either` for API calls, `http/1.1` for upgrades. */
  readonly alpn: Alpn;
  /** The client certificate of the credential in use, in the place of the kubeconfig's own. */
  readonly certificate?: ClientCertificate | undefined;
  /** Ends the attempt, and with it the half-made connection; later it has no effect. */
  readonly signal?: AbortSignal | undefined;
}

/** What HTTP is spoken. */
export type Protocol = "h2" | "http/1.1";

/** A connection that is up. */
export interface Dialled {
  /** The caller's, who adds an error handler of its own before the next await; one that does nothing is attached. */
  readonly socket: Socket;
  /** What was agreed on; undefined for a `http://` server, which does not say. */
  readonly protocol: Protocol | undefined;
}

/** What is needed of a Cluster to connect to it. */
export type DialTarget = Pick<Cluster, "server" | "proxy" | "tls" | "tlsClient">;

/** Host (IPv6 without brackets) and port of the API server. */
export function hostAndPort(server: URL): HostAndPort {
  const defaultPort = server.protocol === "https:" ? 443 : 80;
  return {
    host: server.hostname.replace(/^\[|\]$/g, ""),
    port: server.port === "" ? defaultPort : Number(server.port),
  };
}

/** The API server for the sentences of errors, with the proxy before it. */
export function peerOf({ server, proxy }: Pick<DialTarget, "server" | "proxy">): Peer {
  const through = proxy === undefined ? "" : ` through ${nameOfProxy(proxy)}`;
  return { name: `the API server at ${formatHostAndPort(hostAndPort(server))}${through}`, is: "server" };
}

/**
 * Connects to the API server, through the cluster's proxy if it has one; resolves when TLS is up, the certificate is
 * accepted and the protocol agreed. Nagle's algorithm is off, TCP keep-alive on after 30 s.
 * @throws LocalizerError `unavailable` with server or proxy and the reason (also for a certificate that is not
 * trusted), `usage` when our own certificates or the proxy's URL cannot be used, `aborted`
 */
export async function dialApiServer(target: DialTarget, options: DialOptions): Promise<Dialled> {
  const { alpn, certificate, signal } = options;
  throwIfAborted(signal);
  const to = hostAndPort(target.server);
  const peer = peerOf(target);
  const tls = target.tlsClient ?? new TlsClient(target.tls);
  const transport =
    target.proxy === undefined ? undefined : await connectThroughProxy(target.proxy, to, { tls, signal });
  if (target.server.protocol !== "https:") {
    return { socket: transport ?? (await connectTcp(to, peer, signal)), protocol: undefined };
  }
  try {
    const socket = await tls.connect({ to, peer, alpn, transport, certificate, signal });
    return { socket, protocol: socket.alpnProtocol === "h2" ? "h2" : "http/1.1" };
  } catch (error) {
    transport?.destroy();
    throw error;
  }
}
