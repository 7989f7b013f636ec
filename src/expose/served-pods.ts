/** Which pods the Service leads to now, as its EndpointSlices say. */
import { parseEndpointSlice, serviceNameLabel } from "../kube/endpoint-slice.ts";
import { textAt } from "../kube/json.ts";
import { headOf, kinds } from "../kube/objects.ts";
import { nameOf, namespaceOf, type ServiceKey } from "../model/service-key.ts";
import { labels } from "./records.ts";
import type { ScaleComponents } from "./scale.ts";

/** A pod that the Service leads to. */
export interface ServedPod {
  readonly name: string;
  readonly uid: string;
  /** Connections come to it, also before it is ready where the Service publishes such addresses. */
  readonly ready: boolean;
  /** It is ready by its own word, and stays. */
  readonly answers: boolean;
}

/** The pods in the Service's slices, each once. Throws as the API. */
export async function servedPods(
  { objects }: Pick<ScaleComponents, "objects">,
  key: ServiceKey,
  signal: AbortSignal,
): Promise<readonly ServedPod[]> {
  const scope = { namespace: namespaceOf(key), labelSelector: `${serviceNameLabel}=${nameOf(key)}` };
  const found = new Map<string, ServedPod>();
  for (const slice of await objects.list(kinds.endpointSlices, scope, signal)) {
    for (const { pod, ready, serving, terminating } of parseEndpointSlice(slice).endpoints) {
      if (pod === undefined) continue;
      found.set(pod.uid, { name: pod.name, uid: pod.uid, ready, answers: serving && !terminating });
    }
  }
  return [...found.values()];
}

/** Whether the Service leads to pods that answer: of the session, and of no session at all. Throws as the API. */
export async function readyPods(
  components: Pick<ScaleComponents, "objects">,
  { key, session }: { readonly key: ServiceKey; readonly session: string },
  signal: AbortSignal,
): Promise<{ readonly own: boolean; readonly others: boolean }> {
  const scope = { namespace: namespaceOf(key), labelSelector: labels.session };
  const ours = await components.objects.list(kinds.pods, scope, signal);
  const sessions = new Map(ours.map((pod) => [headOf(pod).uid, textAt(pod, "metadata", "labels", labels.session)]));
  const answering = (await servedPods(components, key, signal)).filter(({ answers }) => answers);
  return {
    own: answering.some(({ uid }) => sessions.get(uid) === session),
    // A pod of a session beside, which this Service leads to as well, may be about to go itself.
    others: answering.some(({ uid }) => !sessions.has(uid)),
  };
}
