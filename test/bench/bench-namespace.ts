/** Namespaces of the bench: marked with who made them, so that what a killed bench left is known and nothing else is taken. */
import { hostname } from "node:os";
import { identify, isAlive } from "../cluster/detached-process.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { waitFor } from "../cluster/wait.ts";

const managedBy = { "app.kubernetes.io/managed-by": "localizer-bench" };
const ownerAnnotation = "localizer-bench/owner";
const goneTimeoutMs = 90_000;

/** The object of a namespace that this process owns. */
export function benchNamespace(name: string): object {
  const annotations = { [ownerAnnotation]: JSON.stringify({ host: hostname(), ...identify(process.pid) }) };
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels: managedBy, annotations } };
}

/** Names of those whose maker ran on this machine and no longer does. */
export async function abandonedNamespaces({ api }: Cluster): Promise<readonly string[]> {
  const selector = Object.entries(managedBy).map(([name, value]) => `${name}=${value}`);
  const list = await api.get(`/api/v1/namespaces?labelSelector=${encodeURIComponent(selector.join())}`);
  return metadataOf(list).flatMap(({ name, owner }) => (isAbandoned(owner) ? [name] : []));
}

/** Deletes one and waits until it is gone. Never throws: what does not work is said, and the next bench tries again. */
export async function deleteNamespace({ api }: Cluster, name: string, log: (line: string) => void): Promise<void> {
  const path = `/api/v1/namespaces/${name}`;
  const isGone = async () => (await api.send("DELETE", path)).status === 404;
  try {
    // No signal: this has to be done after Ctrl-C as well.
    await waitFor(`the end of namespace "${name}"`, isGone, { timeoutMs: goneTimeoutMs, intervalMs: 500 });
  } catch (error) {
    log(`Cannot delete namespace "${name}": ${error instanceof Error ? error.message : String(error)}`);
  }
}

function metadataOf(list: unknown): readonly { readonly name: string; readonly owner: string }[] {
  // The API server sends what its published schema says; this is a part of it.
  const { items } = list as {
    items: readonly { metadata: { name: string; annotations?: Readonly<Record<string, string>> } }[];
  };
  return items.map(({ metadata }) => ({ name: metadata.name, owner: metadata.annotations?.[ownerAnnotation] ?? "" }));
}

function isAbandoned(owner: string): boolean {
  try {
    const { host, pid, startTime }: Readonly<Record<string, unknown>> = JSON.parse(owner);
    if (host !== hostname() || typeof pid !== "number" || typeof startTime !== "string") return false;
    return !isAlive({ pid, startTime });
  } catch {
    return false;
  }
}
