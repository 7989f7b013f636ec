/**
 * The HTTP/1.1 upgrade of pods/portforward to SPDY/3.1 (KEP-4006 describes it as the older form).
 * Promises the raw socket after a 101, or a LocalizerError with the API server's own words.
 */
import { type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";
import { type Clock, withTimeout } from "../clock.ts";
import { type ErrorCode, LocalizerError, throwIfAborted } from "../errors.ts";
import type { Credential } from "../kube/credentials.ts";
import { dialApiServer } from "../kube/dial.ts";
import { textAt } from "../kube/json.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { userAgent } from "../kube/user-agent.ts";
import { withCredential } from "../kube/with-credential.ts";
import type { PodRef } from "../model/endpoint.ts";

/** An upgraded connection: the socket and the bytes that came behind the answer. */
export interface Upgraded {
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** What an upgrade needs beside the pod. */
export interface UpgradeOptions {
  readonly clock: Clock;
  /** Ends the attempt; later it has no effect. */
  readonly signal: AbortSignal;
  /** Of localizer, for the User-Agent. */
  readonly version?: string | undefined;
}

/** How long the TCP, TLS and upgrade round trips may take together. */
const upgradeTimeoutMs = 10_000;
const spdy = "SPDY/3.1";
const protocol = "portforward.k8s.io";

/**
 * Asks for pods/portforward of the pod by POST (RBAC: `create`), and once more if the credential is refused and there
 * may be a better one. Time in which somebody logs in does not count.
 * @throws LocalizerError `gone` (no such pod), `unauthenticated` (401, or no credential), `denied` (403), `timeout` after 10 s,
 * `aborted`, `unavailable` (all else)
 */
export async function upgradeToSpdy(cluster: Cluster, pod: PodRef, options: UpgradeOptions): Promise<Upgraded> {
  const { clock, signal } = options;
  const action = `Cannot forward to pod ${pod.namespace}/${pod.name}`;
  const limits = { action, timeoutMs: upgradeTimeoutMs, signal };
  return await withCredential(cluster.credentials, { ...limits, clock }, (credential) =>
    withTimeout(clock, limits, async (limited) => {
      try {
        return await upgradeAs(credential, cluster, pod, { ...options, signal: limited });
      } catch (error) {
        throw LocalizerError.wrap(error, action);
      }
    }),
  );
}

async function upgradeAs(
  { certificate, headers }: Credential,
  cluster: Cluster,
  pod: PodRef,
  { signal, version }: UpgradeOptions,
): Promise<Upgraded> {
  const { socket } = await dialApiServer(cluster, { alpn: "http/1.1", certificate, signal });
  try {
    return await upgrade(cluster, socket, { pod, headers: { "user-agent": userAgent(version), ...headers }, signal });
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function upgrade(
  cluster: Cluster,
  socket: Duplex,
  options: { pod: PodRef; headers: Credential["headers"]; signal: AbortSignal },
): Promise<Upgraded> {
  const { pod, headers, signal } = options;
  const prefix = cluster.server.pathname.replace(/\/$/, "");
  return new Promise((resolve, reject) => {
    throwIfAborted(signal);
    const call = request({
      createConnection: () => socket,
      method: "POST",
      path: `${prefix}/api/v1/namespaces/${encodeURIComponent(pod.namespace)}/pods/${encodeURIComponent(pod.name)}/portforward`,
      headers: {
        host: cluster.server.host,
        connection: "Upgrade",
        upgrade: spdy,
        "x-stream-protocol-version": protocol,
        "content-length": "0",
        ...headers,
      },
    });
    const onAbort = () => {
      socket.destroy();
      reject(LocalizerError.from(signal.reason, "aborted"));
    };
    const settle = () => signal.removeEventListener("abort", onAbort);
    signal.addEventListener("abort", onAbort, { once: true });
    call.on("error", (error) => {
      settle();
      reject(LocalizerError.from(error, "unavailable"));
    });
    call.on("upgrade", ({ headers: answer }, upgraded, head) => {
      settle();
      const isSpdy = answer.upgrade?.toLowerCase() === spdy.toLowerCase();
      if (isSpdy && answer["x-stream-protocol-version"] === protocol) resolve({ socket: upgraded, head });
      else reject(new LocalizerError("unavailable", "the answer is an upgrade, but not to SPDY/3.1 port-forwarding"));
    });
    call.on("response", (response) => {
      readRefusal(response)
        .then(reject, (error) => reject(LocalizerError.from(error, "unavailable")))
        .finally(() => {
          settle();
          socket.destroy();
        });
    });
    call.end();
  });
}

/** An answer other than 101: its Status message, or its first words. */
async function readRefusal(response: IncomingMessage): Promise<LocalizerError> {
  let body = "";
  response.setEncoding("utf8");
  for await (const chunk of response) {
    body += String(chunk);
    if (body.length > 16_384) break;
  }
  const status = parseStatus(body);
  const words = textAt(status, "message") ?? `${response.statusCode} ${firstWords(body)}`.trimEnd();
  return new LocalizerError(codeOfStatus(response.statusCode, status), words);
}

function codeOfStatus(httpStatus: number | undefined, status: unknown): ErrorCode {
  switch (httpStatus) {
    case 401:
      return "unauthenticated";
    case 403:
      return "denied";
    case 404:
      // A gateway that does not know the path says 404 too, and the pod may be well.
      return textAt(status, "kind") === "Status" && textAt(status, "details", "kind") === "pods"
        ? "gone"
        : "unavailable";
    default:
      return "unavailable";
  }
}

/** On one line: a gateway may answer with a whole page. */
function firstWords(body: string): string {
  return body.slice(0, 300).replaceAll(/\s+/g, " ").trim();
}

function parseStatus(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
