/**
 * The HTTP/1.1 upgrade of pods/portforward, whatever it switches to: every engine goes this way, so that proxies, server
 * names, client certificates and renewed credentials hold for all. Promises the raw socket after a 101, or who refused and why.
 */
import { randomBytes } from "node:crypto";
import { type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";
import type { Duplex } from "node:stream";
import { type Clock, withTimeout } from "../clock.ts";
import { codeOf, LocalizerError, throwIfAborted } from "../errors.ts";
import type { Credential } from "../kube/credentials.ts";
import { dialApiServer } from "../kube/dial.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { raceDials } from "../kube/race-dials.ts";
import { userAgent } from "../kube/user-agent.ts";
import { withCredential } from "../kube/with-credential.ts";
import type { PodRef } from "../model/endpoint.ts";
import type { TcpEnds } from "../net/tcp-delivery.ts";
import { brokenOff, refusalOf, type UpgradeRefusal, wrongProtocol } from "./upgrade-refusal.ts";
import { webSocketFault, webSocketHeaders } from "./websocket-handshake.ts";

/** How long TCP, TLS and the answer may take together. A credential that has to be got first has its own time. */
const upgradeTimeoutMs = 10_000;

/** What is spoken in SPDY. */
const portForwarding = "portforward.k8s.io";

/** What is asked for. */
export interface UpgradeWay {
  /** RBAC: `create` for POST, `get` for GET. */
  readonly method: "POST" | "GET";
  readonly protocol: "SPDY/3.1" | "websocket";
  /** Of the WebSocket. */
  readonly subprotocol?: string;
  /** With the question mark. */
  readonly query?: string;
}

/** An upgraded connection: the socket and the bytes that came behind the answer. */
export interface Upgraded {
  readonly socket: Duplex;
  readonly head: Buffer;
  /** Of the socket below, as far as they are known. */
  readonly ends?: TcpEnds;
}

/** How an upgrade went once the API server, or something before it, was reached. */
export type UpgradeOutcome = (Upgraded & { readonly sign?: undefined }) | UpgradeRefusal;

/** What is needed to ask. */
export interface UpgradeParts {
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** Of localizer, for the User-Agent. */
  readonly version?: string | undefined;
}

/**
 * Asks for pods/portforward of the pod, and once more if the credential is refused and there may be a better one.
 * Time in which somebody logs in does not count.
 * @throws LocalizerError `unauthenticated` (401, or no credential); when nobody could be asked, `unavailable`, `timeout`,
 * `aborted`, or as certificates say
 */
export async function upgradePod(
  parts: UpgradeParts,
  pod: PodRef,
  way: UpgradeWay,
  signal: AbortSignal,
): Promise<UpgradeOutcome> {
  const { cluster, clock } = parts;
  const patience = { clock, timeoutMs: upgradeTimeoutMs, signal };
  return await withCredential(cluster.credentials, patience, async (credential) => {
    const outcome = await upgradeAs(credential, parts, pod, way, signal);
    if (outcome.sign === "identity") throw outcome.error;
    return outcome;
  });
}

async function upgradeAs(
  { certificate, headers }: Credential,
  { cluster, clock, version }: UpgradeParts,
  pod: PodRef,
  way: UpgradeWay,
  signal: AbortSignal,
): Promise<UpgradeOutcome> {
  let isReached = false;
  const own = { "user-agent": userAgent(version), ...headers };
  const options = { action: "Cannot reach the API server", timeoutMs: upgradeTimeoutMs, signal };
  try {
    return await withTimeout(clock, options, async (limited) => {
      const dial = (dialSignal: AbortSignal) =>
        dialApiServer(cluster, { alpn: "http/1.1", certificate, signal: dialSignal });
      const { socket } = await raceDials(dial, { clock, signal: limited, discard: (late) => late.socket.destroy() });
      isReached = true;
      return await ask(socket, requestOf(cluster, pod, way, own), pod, limited);
    });
  } catch (error) {
    if (isReached && codeOf(error) === "timeout") {
      return brokenOff(`no answer within ${upgradeTimeoutMs} ms`, "timeout");
    }
    throw error;
  }
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  /** What is wrong with a 101. */
  readonly faultOf: (answer: IncomingMessage["headers"]) => string | undefined;
}

function requestOf(cluster: Cluster, pod: PodRef, way: UpgradeWay, own: Credential["headers"]): Request {
  const { method, protocol, subprotocol = "", query = "" } = way;
  const prefix = cluster.server.pathname.replace(/\/$/, "");
  const [namespace, name] = [encodeURIComponent(pod.namespace), encodeURIComponent(pod.name)];
  const key = randomBytes(16);
  const asked =
    protocol === "websocket"
      ? webSocketHeaders(subprotocol, key)
      : { upgrade: protocol, "x-stream-protocol-version": portForwarding };
  return {
    method,
    path: `${prefix}/api/v1/namespaces/${namespace}/pods/${name}/portforward${query}`,
    headers: {
      host: cluster.server.host,
      connection: "Upgrade",
      ...asked,
      ...(method === "POST" ? { "content-length": "0" } : {}),
      ...own,
    },
    faultOf: (answer) => (protocol === "websocket" ? webSocketFault(subprotocol, key, answer) : spdyFault(answer)),
  };
}

function spdyFault({ upgrade, "x-stream-protocol-version": spoken }: IncomingMessage["headers"]): string | undefined {
  if (upgrade?.toLowerCase() !== "spdy/3.1") return `it switches to "${upgrade ?? "nothing"}"`;
  return spoken === portForwarding ? undefined : `it speaks "${spoken ?? "nothing"}" in SPDY`;
}

/** Sends the request over the socket, which is closed unless it comes back upgraded. */
async function ask(
  socket: Duplex & TcpEnds,
  asked: Request,
  pod: PodRef,
  signal: AbortSignal,
): Promise<UpgradeOutcome> {
  const { promise, resolve, reject } = Promise.withResolvers<UpgradeOutcome>();
  const onAbort = () => reject(LocalizerError.from(signal.reason, "aborted"));
  try {
    throwIfAborted(signal);
    signal.addEventListener("abort", onAbort, { once: true });
    const { method, path, headers } = asked;
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    const ends = { localAddress, localPort, remoteAddress, remotePort };
    const call = request({ createConnection: () => socket, method, path, headers });
    call.on("error", (error) => resolve(brokenOff(error.message)));
    call.on("upgrade", ({ headers: answer }, upgraded, head) => {
      const fault = asked.faultOf(answer);
      resolve(fault === undefined ? { socket: upgraded, head, ends } : wrongProtocol(fault));
    });
    call.on("response", (response) => {
      readAnswer(response).then(
        (body) => resolve(refusalOf({ status: response.statusCode ?? 0, body }, pod.name)),
        (error) => resolve(brokenOff(LocalizerError.from(error).message)),
      );
    });
    call.end();
    const outcome = await promise;
    if (outcome.sign !== undefined) socket.destroy();
    return outcome;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Its first words; nobody waits for the rest of a page. */
async function readAnswer(response: IncomingMessage): Promise<string> {
  let body = "";
  response.setEncoding("utf8");
  for await (const chunk of response) {
    body += String(chunk);
    if (body.length > 16_384) break;
  }
  return body;
}
