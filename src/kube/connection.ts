/** A connection for API calls, in whichever HTTP the server offers. */
import { type Clock, withTimeout } from "../clock.ts";
import { throwIfAborted } from "../errors.ts";
import { isLost, type StreamKind } from "./api-stream.ts";
import type { ClientCertificate } from "./credentials.ts";
import { type DialTarget, dialApiServer, type Protocol, peerOf } from "./dial.ts";
import { H1Connection, type H1Options } from "./h1-connection.ts";
import type { H2Session, H2SessionOptions } from "./h2-session.ts";
import { openH2Session } from "./open-h2-session.ts";

/** One of the two. Both end by themselves when nothing was asked for a while. */
export type ApiConnection = H2Session | H1Connection;

/** What is wanted of a connection. */
export interface ConnectionOptions {
  readonly kind: StreamKind;
  readonly certificate: ClientCertificate | undefined;
  /** What the server spoke the last time, if it is known. */
  readonly known: Protocol | undefined;
  readonly session: H2SessionOptions;
  readonly http1: H1Options;
}

/** How long a server without TLS has for the first frame of HTTP/2; one that knows no HTTP/2 may just say nothing. */
const priorKnowledgeMs = 3_000;

/**
 * Connects. With TLS the server chooses. Without it HTTP/2 is tried unless it is known not to be spoken (RFC 9113 3.3,
 * prior knowledge), and when that comes to nothing, a second connection speaks HTTP/1.1, as `kubectl proxy` does.
 * @throws LocalizerError as dialApiServer and openH2Session
 */
export async function openConnection(
  target: DialTarget,
  clock: Clock,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<ApiConnection> {
  const { certificate, kind } = options;
  const { server } = target;
  const dial = () => dialApiServer(target, { alpn: "either", certificate, signal });
  const { socket, protocol = options.known } = await dial();
  const components = { socket, server, certificate, kind, clock };
  if (protocol === "http/1.1") return new H1Connection(components, options.http1);
  if (server.protocol === "https:") return await openH2Session(components, signal, options.session);
  const limits = { action: `Cannot talk to ${peerOf(target).name}`, timeoutMs: priorKnowledgeMs, signal };
  try {
    return await withTimeout(clock, limits, (limited) => openH2Session(components, limited, options.session));
  } catch (error) {
    throwIfAborted(signal);
    // It does speak HTTP/2, but is about to shut down.
    if (isLost(error)) throw error;
    return new H1Connection({ ...components, socket: (await dial()).socket }, options.http1);
  }
}
