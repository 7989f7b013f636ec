/** Which pods the Service leads to now, as its EndpointSlices say. */
import { parseEndpointSlice, serviceNameLabel } from "../kube/endpoint-slice.ts";
import { headOf, kinds } from "../kube/objects.ts";
import { nameOf, namespaceOf, type ServiceKey } from "../model/service-key.ts";
import { sessionSelector } from "./records.ts";
import type { ScaleComponents } from "./scale.ts";

/** A pod that the Service leads to. */
export interface ServedPod {
  readonly name: string;
  readonly uid: string;
  readonly ready: boolean;
}

const slices = { group: "discovery.k8s.io", version: "v1", plural: "endpointslices" } as const;

/** The pods in the Service's slices, each once. Throws as the API. */
export async function servedPods(
  { objects }: Pick<ScaleComponents, "objects">,
  key: ServiceKey,
  signal: AbortSignal,
): Promise<readonly ServedPod[]> {
  const scope = { namespace: namespaceOf(key), labelSelector: `${serviceNameLabel}=${nameOf(key)}` };
  const found = new Map<string, ServedPod>();
  for (const slice of await objects.list(slices, scope, signal)) {
    for (const { pod, ready } of parseEndpointSlice(slice).endpoints) {
      if (pod !== undefined) found.set(pod.uid, { name: pod.name, uid: pod.uid, ready });
    }
  }
  return [...found.values()];
}

/** Whether the Service leads to ready pods: of the session, and others. Throws as the API. */
export async function readyPods(
  components: Pick<ScaleComponents, "objects">,
  { key, session }: { readonly key: ServiceKey; readonly session: string },
  signal: AbortSignal,
): Promise<{ readonly own: boolean; readonly others: boolean }> {
  const scope = { namespace: namespaceOf(key), labelSelector: sessionSelector(session) };
  const ours = await components.objects.list(kinds.pods, scope, signal);
  const own = new Set(ours.map((pod) => headOf(pod).uid));
  const ready = (await servedPods(components, key, signal)).filter((pod) => pod.ready);
  return { own: ready.some(({ uid }) => own.has(uid)), others: ready.some(({ uid }) => !own.has(uid)) };
}
