/**
 * Questions to a cluster about how it is. Each answers now; `wait.ts` asks again.
 */
import { ApiClient } from "./api-client.ts";
import { missingComponents } from "./component-set.ts";
import { proxyHealthPort } from "./components.ts";
import type { ClusterLayout } from "./layout.ts";
import { nodeIsReady } from "./objects.ts";

/** Says whether every component runs, the API server is ready and the node takes pods. Never throws. */
export async function isHealthy(layout: ClusterLayout): Promise<boolean> {
  try {
    if (missingComponents(layout).length > 0) return false;
    using api = await ApiClient.asAdmin(layout);
    return (await serverIsReady(api)) && (await nodeIsReady(api));
  } catch {
    return false;
  }
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
