/** The ReplicaSet controller, and that of ReplicationControllers, which works alike: as many pods as wanted, strays adopted. */
import type { ApiObject, ResourceDefinition } from "../api-object.ts";
import { numberAt } from "../json.ts";
import {
  type ControlledServer,
  type Controller,
  controllerManager,
  isOf,
  keyOf,
  type ObjectKey,
} from "./controller.ts";
import { claim, ownersToLookAt } from "./owners.ts";
import { byExpendability, hasEnded, isReady, isTerminating, podOf } from "./pods.ts";

/** One for either kind. */
export function replicaSetController(server: ControlledServer, kind: ResourceDefinition): Controller {
  const { store, objects } = server;
  const pods = server.resource("pods");
  const reconcile = ({ namespace, name }: ObjectKey): undefined => {
    const object = store.get(kind, namespace, name);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return;
    const owner = { resource: kind, object };
    const living = store.list(pods, namespace).filter((pod) => !isTerminating(pod) && !hasEnded(pod));
    const own = claim(server, owner, pods, living);
    const wanted = numberAt(object, "spec", "replicas") ?? 1;
    writeStatus(server, kind, object, own);
    const place = { resource: pods, namespace };
    for (let missing = wanted - own.length; missing > 0; missing--) {
      objects.create(place, podOf(owner, { generateName: `${name}-` }), { manager: controllerManager });
    }
    for (const { metadata } of own.toSorted(byExpendability).slice(0, Math.max(0, own.length - wanted))) {
      objects.delete(place, metadata.name, { uid: metadata.uid }, { manager: controllerManager });
    }
  };
  return {
    name: kind.plural,
    keysOf(change) {
      if (isOf(change, kind)) return [keyOf(kind, change.object)];
      return isOf(change, pods) ? ownersToLookAt(server, kind, change) : [];
    },
    reconcile,
  };
}

function writeStatus(
  { objects }: ControlledServer,
  resource: ResourceDefinition,
  { metadata }: ApiObject,
  pods: readonly ApiObject[],
): void {
  const ready = pods.filter(isReady).length;
  const status = {
    replicas: pods.length,
    fullyLabeledReplicas: orNone(pods.length),
    readyReplicas: orNone(ready),
    availableReplicas: orNone(ready),
    observedGeneration: metadata.generation,
  };
  const { namespace, name } = metadata;
  objects.patch({ resource, namespace }, name, { status }, { manager: controllerManager, subresource: "status" });
}

/** In a merge patch: a count of none is not said (Go's omitempty). */
export function orNone(count: number): number | null {
  return count === 0 ? null : count;
}
