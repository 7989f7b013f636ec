/**
 * Reads the few facts that the fixture waits for out of the API server's answers.
 */
import type { ApiClient } from "./api-client.ts";

/** A pod that is ready. */
export interface ReadyPod {
  readonly name: string;
  readonly uid: string;
  readonly address: string;
}

interface Meta {
  readonly name: string;
  readonly uid: string;
  readonly deletionTimestamp?: string;
}

interface Condition {
  readonly type: string;
  readonly status: string;
}

interface Pod {
  readonly metadata: Meta;
  readonly status: { readonly podIP?: string; readonly conditions?: readonly Condition[] };
}

interface Node {
  readonly spec: { readonly taints?: readonly unknown[] };
  readonly status: { readonly conditions?: readonly Condition[] };
}

interface EndpointSlice {
  readonly endpoints?: readonly {
    readonly addresses: readonly string[];
    readonly conditions?: { readonly ready?: boolean };
  }[];
}

/** Pods of a selector that are ready and not being deleted. */
export async function readyPods(api: ApiClient, namespace: string, selector: string): Promise<ReadyPod[]> {
  const query = `labelSelector=${encodeURIComponent(selector)}`;
  const pods = await list<Pod>(api, `/api/v1/namespaces/${namespace}/pods?${query}`);
  return pods
    .filter(({ metadata, status }) => metadata.deletionTimestamp === undefined && isTrue(status.conditions, "Ready"))
    .map(({ metadata: { name, uid }, status }) => ({ name, uid, address: status.podIP ?? "" }));
}

/** Addresses that a service's endpoint slices name as ready, each once. */
export async function readyAddresses(api: ApiClient, namespace: string, service: string): Promise<string[]> {
  const query = `labelSelector=${encodeURIComponent(`kubernetes.io/service-name=${service}`)}`;
  const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?${query}`;
  const endpoints = (await list<EndpointSlice>(api, path)).flatMap((slice) => slice.endpoints ?? []);
  const ready = endpoints.filter(({ conditions }) => conditions?.ready !== false);
  return [...new Set(ready.flatMap(({ addresses }) => addresses))];
}

/** Says whether pods can be scheduled: the node is ready and the taint it began with is gone. */
export async function nodeIsReady(api: ApiClient, signal?: AbortSignal): Promise<boolean> {
  const nodes = await list<Node>(api, "/api/v1/nodes", signal);
  return nodes.some(({ spec, status }) => isTrue(status.conditions, "Ready") && (spec.taints ?? []).length === 0);
}

function isTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;
}

async function list<T>(api: ApiClient, path: string, signal?: AbortSignal): Promise<readonly T[]> {
  const body = await api.get(path, signal);
  if (typeof body !== "object" || body === null || !("items" in body)) throw new Error(`GET ${path} gave no list`);
  // The API server sends what its published schema says; T is a part of that schema.
  return body.items as readonly T[];
}
