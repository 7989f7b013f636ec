/** Whether anybody answers where the API server should be. */
import { throwIfAborted } from "../errors.ts";
import { type DialTarget, hostAndPort, peerOf } from "./dial.ts";
import { connectThroughProxy } from "./proxy.ts";
import { connectTcp } from "./tcp.ts";
import { TlsClient } from "./tls-client.ts";

/**
 * Connects, past the proxy if there is one, shakes hands and closes the connection. Who answers TLS with a refusal is there,
 * too: it may want a certificate that is not at hand here.
 * @throws LocalizerError `unavailable` with the reason, `aborted`
 */
export async function reachServer(target: Omit<DialTarget, "tlsClient">, signal: AbortSignal): Promise<void> {
  throwIfAborted(signal);
  const { proxy, server, tls: options } = target;
  const to = hostAndPort(server);
  const peer = peerOf(target);
  // Its own: the sessions of the others are bound to their certificates.
  const tls = new TlsClient(options);
  const transport =
    proxy === undefined ? await connectTcp(to, peer, signal) : await connectThroughProxy(proxy, to, { tls, signal });
  try {
    if (server.protocol !== "https:") return;
    const secured = await tls.connect({ to, peer, alpn: "http/1.1", transport, signal });
    secured.destroy();
  } catch {
    throwIfAborted(signal);
  } finally {
    transport.destroy();
  }
}
