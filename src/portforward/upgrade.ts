/**
 * The HTTP/1.1 upgrade of pods/portforward to SPDY/3.1 (KEP-4006 describes it as the older form).
 * Promises the raw socket after a 101, or a LocalizerError with the API server's own words.
 */
import { type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";
import { codeOf, type ErrorCode, LocalizerError, throwIfAborted } from "../errors.ts";
import type { Credential } from "../kube/credentials.ts";
import { dialApiServer } from "../kube/dial.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import type { PodRef } from "../model/endpoint.ts";

/** An upgraded connection: the socket and the bytes that came behind the answer. */
export interface Upgraded {
  readonly socket: Duplex;
  readonly head: Buffer;
}

/**
 * Asks for pods/portforward of the pod by POST (RBAC: `create`), and once more if the credential is refused and there
 * may be a better one.
 * @throws LocalizerError `gone` (no such pod), `unauthenticated` (401), `denied` (403), `unavailable` (all else)
 */
export async function upgradeToSpdy(cluster: Cluster, pod: PodRef, signal: AbortSignal): Promise<Upgraded> {
  const { credentials } = cluster;
  try {
    const credential = await credentials.current(signal);
    try {
      return await upgradeAs(credential, cluster, pod, signal);
    } catch (error) {
      if (codeOf(error) !== "unauthenticated" || !credentials.rejected(credential)) throw error;
    }
    return await upgradeAs(await credentials.current(signal), cluster, pod, signal);
  } catch (error) {
    throw LocalizerError.wrap(error, `Cannot forward to pod ${pod.namespace}/${pod.name}`);
  }
}

async function upgradeAs(
  { certificate, headers }: Credential,
  cluster: Cluster,
  pod: PodRef,
  signal: AbortSignal,
): Promise<Upgraded> {
  const { socket } = await dialApiServer(cluster, { alpn: "http/1.1", certificate, signal });
  try {
    return await upgrade(cluster, socket, { pod, headers, signal });
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
      path: `${prefix}/api/v1/namespaces/${pod.namespace}/pods/${pod.name}/portforward`,
      headers: {
        host: cluster.server.host,
        connection: "Upgrade",
        upgrade: "SPDY/3.1",
        "x-stream-protocol-version": "portforward.k8s.io",
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
    call.on("upgrade", (_response, upgraded, head) => {
      settle();
      resolve({ socket: upgraded, head });
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
  const words = statusMessage(body) ?? `${response.statusCode} ${firstWords(body)}`.trimEnd();
  return new LocalizerError(codeOfStatus(response.statusCode), words);
}

function codeOfStatus(status: number | undefined): ErrorCode {
  switch (status) {
    case 401:
      return "unauthenticated";
    case 403:
      return "denied";
    case 404:
      return "gone";
    default:
      return "unavailable";
  }
}

/** On one line: a gateway may answer with a whole page. */
function firstWords(body: string): string {
  return body.slice(0, 300).replaceAll(/\s+/g, " ").trim();
}

function statusMessage(body: string): string | undefined {
  try {
    const status: unknown = JSON.parse(body);
    const message: unknown = typeof status === "object" && status !== null ? Reflect.get(status, "message") : undefined;
    return typeof message === "string" ? message : undefined;
  } catch {
    return undefined;
  }
}
