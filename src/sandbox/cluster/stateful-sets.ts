/** The StatefulSet controller: pods name-0 to name-(n-1), one after the other unless it says Parallel. Knows no updates. */
import type { ApiObject } from "../api-object.ts";
import { numberAt, textAt } from "../json.ts";
import {
  type ControlledServer,
  type Controller,
  controllerManager,
  isOf,
  keyOf,
  type ObjectKey,
} from "./controller.ts";
import { controllerOf, ownersToLookAt } from "./owners.ts";
import { hasEnded, isReady, isTerminating, podOf } from "./pods.ts";
import { orNone } from "./replica-sets.ts";

/** Makes one. */
export function statefulSetController(server: ControlledServer): Controller {
  const { store, objects } = server;
  const sets = server.resource("statefulsets.apps");
  const pods = server.resource("pods");
  const by = { manager: controllerManager };

  const reconcile = ({ namespace, name }: ObjectKey): undefined => {
    const object = store.get(sets, namespace, name);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return;
    const own = store.list(pods, namespace).filter((pod) => controllerOf(pod)?.uid === object.metadata.uid);
    writeStatus(object, own);
    const inOrder = textAt(object, "spec", "podManagementPolicy") !== "Parallel";
    for (const step of steps(object, own)) {
      step();
      if (inOrder) return;
    }
  };

  /** What there is to do, the first first. Waiting is a step, too. */
  function* steps(object: ApiObject, own: readonly ApiObject[]): Generator<() => void> {
    const { name, namespace } = object.metadata;
    const wanted = numberAt(object, "spec", "replicas") ?? 1;
    const place = { resource: pods, namespace };
    const remove = ({ metadata }: ApiObject) => objects.delete(place, metadata.name, { uid: metadata.uid }, by);
    const ordinal = ({ metadata }: ApiObject) => Number(metadata.name.slice(name.length + 1));
    const byOrdinal = new Map(own.map((pod) => [ordinal(pod), pod]));
    for (let index = 0; index < wanted; index++) {
      const pod = byOrdinal.get(index);
      if (pod === undefined) yield () => void objects.create(place, podAt(object, index), by);
      else if (hasEnded(pod) && !isTerminating(pod)) yield () => void remove(pod);
      else if (isTerminating(pod) || !isReady(pod)) yield () => {};
    }
    const condemned = own.filter((pod) => ordinal(pod) >= wanted).sort((a, b) => ordinal(b) - ordinal(a));
    for (const pod of condemned) yield isTerminating(pod) ? () => {} : () => void remove(pod);
  }

  function podAt(object: ApiObject, index: number) {
    const name = `${object.metadata.name}-${index}`;
    const labels = { "statefulset.kubernetes.io/pod-name": name, "apps.kubernetes.io/pod-index": String(index) };
    const subdomain = textAt(object, "spec", "serviceName");
    const spec = { hostname: name, ...(subdomain === undefined ? {} : { subdomain }) };
    return podOf({ resource: sets, object }, { name }, { labels, spec });
  }

  function writeStatus(object: ApiObject, own: readonly ApiObject[]): void {
    const ready = own.filter((pod) => isReady(pod) && !isTerminating(pod)).length;
    const status = {
      observedGeneration: object.metadata.generation,
      replicas: own.length,
      readyReplicas: orNone(ready),
      currentReplicas: orNone(own.length),
      updatedReplicas: orNone(own.length),
      availableReplicas: ready,
    };
    objects.patch(keyOf(sets, object), object.metadata.name, { status }, { ...by, subresource: "status" });
  }

  return {
    name: "statefulsets",
    keysOf(change) {
      if (isOf(change, sets)) return [keyOf(sets, change.object)];
      if (!isOf(change, pods)) return [];
      // It takes nobody over, so a pod without a controller concerns none.
      return controllerOf(change.object) === undefined ? [] : ownersToLookAt(server, sets, change);
    },
    reconcile,
  };
}
