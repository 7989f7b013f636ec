/**
 * Questions to a cluster about how it is. Each answers now; `wait.ts` asks again.
 */
import { ApiClient } from "./api-client.ts";
import { missingComponents } from "./component-set.ts";
import { proxyHealthPort } from "./components.ts";
import type { ClusterLayout } from "./layout.ts";
import { nodeIsReady } from "./objects.ts";
import { waitFor } from "./wait.ts";

/** What is wrong: a component that does not run, an API server that is not ready, a node that takes no pods. Never throws. */
export async function healthTrouble(layout: ClusterLayout): Promise<string | undefined> {
  const missing = missingComponents(layout);
  if (missing.length > 0) return `${missing.join(", ")} does not run`;
  try {
    using api = await ApiClient.asAdmin(layout);
    if (!(await serverIsReady(api))) return "the API server is not ready";
    return (await nodeIsReady(api)) ? undefined : "the node takes no pods";
  } catch (error) {
    return String(error);
  }
}

/**
 * What is wrong for a minute, or at once when a component does not run: others may be at work in the cluster, and a node that was
 * silent, or a server with much to do, is no reason to end it under them.
 */
export async function lastingTrouble(layout: ClusterLayout, signal?: AbortSignal): Promise<string | undefined> {
  let trouble: string | undefined;
  const probe = async () => {
    trouble = await healthTrouble(layout);
    return trouble === undefined || missingComponents(layout).length > 0;
  };
  await waitFor("the cluster to be healthy", probe, { timeoutMs: 60_000, isExact: true, signal }).catch(() => {});
  signal?.throwIfAborted();
  return trouble;
}

/** By status alone: the body of a 500 has lines that say ok. */
export async function serverIsReady(api: ApiClient): Promise<boolean> {
  return (await api.send("GET", "/readyz")).status === 200;
}

/** A pod without its service account or the authority's certificate is refused, or started late. */
export async function podsAreAccepted(api: ApiClient): Promise<boolean> {
  const namespace = "/api/v1/namespaces/default";
  const paths = [`${namespace}/serviceaccounts/default`, `${namespace}/configmaps/kube-root-ca.crt`];
  const answers = await Promise.all(paths.map((path) => api.send("GET", path)));
  return answers.every(({ status }) => status === 200);
}

/** Says whether services' addresses lead to pods inside the cluster. */
export async function proxyIsReady(layout: ClusterLayout): Promise<boolean> {
  const answer = await fetch(`http://${layout.nodeAddress}:${proxyHealthPort}/healthz`, {
    signal: AbortSignal.timeout(2000),
    headers: { Connection: "close" },
  });
  await answer.arrayBuffer();
  return answer.ok;
}
