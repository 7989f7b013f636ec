/** Connections through a proxy: HTTP CONNECT (RFC 9110 9.3.6), in plain or inside TLS, and SOCKS5 (RFC 1928). */
import type { Socket } from "node:net";
import { LocalizerError } from "../errors.ts";
import type { Peer } from "./dial-error.ts";
import { httpTunnel } from "./http-tunnel.ts";
import { socks5Tunnel } from "./socks5.ts";
import { connectTcp, formatHostAndPort, type HostAndPort, type ProxyLogin } from "./tcp.ts";
import type { TlsClient } from "./tls-client.ts";

const defaultPorts: Readonly<Record<string, number>> = {
  "http:": 80,
  "https:": 443,
  "socks5:": 1080,
  "socks5h:": 1080,
};

/** The proxy for sentences, without user and password. */
export function nameOfProxy(proxy: URL): string {
  return `the proxy "${proxy.protocol}//${proxy.host}"`;
}

/**
 * Opens a way to `to` through the proxy, which resolves the name. A `http://` server is reached by CONNECT too, unlike
 * in Go, which sends it whole URLs: HTTP/2 and upgrades need a way of their own. Bytes that the far side sent at once
 * can be read from the socket.
 * @throws LocalizerError `unavailable` with the proxy and why it does not let us through, `usage` when its URL cannot
 * be used, `aborted`
 */
export async function connectThroughProxy(
  proxy: URL,
  to: HostAndPort,
  { tls, signal }: { tls: TlsClient; signal?: AbortSignal | undefined },
): Promise<Socket> {
  const name = nameOfProxy(proxy);
  const defaultPort = defaultPorts[proxy.protocol];
  if (defaultPort === undefined || proxy.hostname === "") {
    throw new LocalizerError(
      "usage",
      `Cannot use ${name}: it has to be a http://, https:// or socks5:// URL with a host`,
    );
  }
  const login = loginOf(proxy, name);
  const port = proxy.port === "" ? defaultPort : Number(proxy.port);
  const at = { host: proxy.hostname.replace(/^\[|\]$/g, ""), port };
  const peer: Peer = { name, is: "proxy" };
  const socket =
    proxy.protocol === "https:"
      ? await tls.forProxy.connect({ to: at, peer, alpn: "http/1.1", signal })
      : await connectTcp(at, peer, signal);
  try {
    const tunnel = proxy.protocol.startsWith("socks5") ? socks5Tunnel : httpTunnel;
    await untilAborted(tunnel(socket, to, login), socket, signal);
    return socket;
  } catch (error) {
    socket.destroy();
    const action = `Cannot connect to the API server at ${formatHostAndPort(to)} through ${name}`;
    throw LocalizerError.wrap(error, action, "unavailable");
  }
}

function loginOf({ username, password }: URL, name: string): ProxyLogin | undefined {
  if (username === "" && password === "") return undefined;
  try {
    return { user: decodeURIComponent(username), password: decodeURIComponent(password) };
  } catch (error) {
    const sentence = `Cannot use ${name}: user or password of its URL have a % that is not followed by two digits`;
    throw new LocalizerError("usage", `${sentence}; write % as %25`, { cause: error });
  }
}

/** Destroys the socket when the signal fires, which fails the work, and throws `aborted` then. */
async function untilAborted(work: Promise<void>, socket: Socket, signal: AbortSignal | undefined): Promise<void> {
  const stop = () => void socket.destroy();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    if (signal?.aborted) stop();
    await work;
  } catch (error) {
    if (signal?.aborted) throw new LocalizerError("aborted", "Stopped", { cause: signal.reason });
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}
