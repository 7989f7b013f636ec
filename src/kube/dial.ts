/** The way to the API server: one TCP or TLS connection, checked, with errors that say what is wrong. */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import { dialError } from "./dial-error.ts";
import type { Cluster } from "./kubeconfig.ts";
import { type Alpn, TlsClient } from "./tls-client.ts";

/** What the connection is for. */
export interface DialOptions {
  /** `h2` for API calls, `http/1.1` for upgrades. Nothing else is offered, so nothing else is got. */
  readonly alpn: Alpn;
  /** Ends the attempt, and with it the half-made connection; later it has no effect. */
  readonly signal?: AbortSignal | undefined;
}

const keepAliveMs = 30_000;

/** How long one address of a name with several is tried before the next; Node's 250 ms are too short for far clusters. */
const addressAttemptMs = 2_000;

/** What is needed of a Cluster to connect to it. */
export type DialTarget = Pick<Cluster, "server" | "tls" | "tlsClient">;

/** Host (IPv6 without brackets) and port of the API server. */
export function hostAndPort(server: URL): { readonly host: string; readonly port: number } {
  const defaultPort = server.protocol === "https:" ? 443 : 80;
  return {
    host: server.hostname.replace(/^\[|\]$/g, ""),
    port: server.port === "" ? defaultPort : Number(server.port),
  };
}

/**
 * Connects to the API server; resolves when TLS is up, the certificate is accepted and the protocol agreed. Nagle's
 * algorithm is off, TCP keep-alive on after 30 s. The socket is the caller's, who adds an error handler of its own
 * before the next await; one that does nothing is attached.
 *
 * A `http://` server is connected to in plain; whether it speaks HTTP/2 then shows only later.
 * @throws LocalizerError `unavailable` with host, port and reason (also for a certificate that is not trusted),
 * `usage` when our own certificates cannot be used, `aborted`
 */
export async function dialApiServer(cluster: DialTarget, options: DialOptions): Promise<TLSSocket | Socket> {
  throwIfAborted(options.signal);
  const { host, port } = hostAndPort(cluster.server);
  const where = { host, port, autoSelectFamilyAttemptTimeout: addressAttemptMs };
  if (cluster.server.protocol !== "https:") {
    const socket = connectTcp(where);
    await established(socket, "connect", cluster.server, options.signal);
    return socket;
  }
  const client = cluster.tlsClient ?? new TlsClient(cluster.tls);
  const socket = connectTls({ ...where, ...client.connectOptions(host, options.alpn) });
  let early: Buffer | undefined;
  const keepEarly = (session: Buffer) => {
    early = session;
  };
  socket.on("session", keepEarly);
  await established(socket, "secureConnect", cluster.server, options.signal);
  socket.off("session", keepEarly);
  client.keepSessions(socket, options.alpn, early);
  if (options.alpn === "h2" && socket.alpnProtocol !== "h2") {
    socket.destroy();
    const sentence = `Cannot talk to the API server at ${host}:${port}: it, or a proxy before it, does not speak HTTP/2`;
    throw new LocalizerError("unavailable", sentence);
  }
  return socket;
}

function established(
  socket: Socket,
  event: "connect" | "secureConnect",
  server: URL,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const { host, port } = hostAndPort(server);
    const stop = () => finish(new LocalizerError("aborted", "Stopped", { cause: signal?.reason }));
    const fail = (error: Error) => finish(dialError(host, port, error));
    const close = () => finish(new LocalizerError("unavailable", `Cannot connect to ${host}:${port}: it hung up`));
    const succeed = () => finish(undefined);
    const finish = (error: LocalizerError | undefined) => {
      signal?.removeEventListener("abort", stop);
      socket.off("close", close);
      socket.off(event, succeed);
      socket.off("error", fail);
      // Stays for the socket's life: errors between here and the owner's own handler must not end the process.
      socket.on("error", () => {});
      if (error !== undefined) {
        socket.destroy();
        reject(error);
        return;
      }
      socket.setNoDelay(true);
      socket.setKeepAlive(true, keepAliveMs);
      resolve();
    };
    socket.once("error", fail);
    socket.once("close", close);
    socket.once(event, succeed);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
