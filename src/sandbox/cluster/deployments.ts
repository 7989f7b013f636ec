/**
 * The Deployment controller: one ReplicaSet for each template it ever had, named by the template's hash, the newest with
 * all replicas. An update is simpler than the real one's: old pods go as new ones become ready.
 */
import { createHash } from "node:crypto";
import type { ApiObject } from "../api-object.ts";
import { at, numberAt, textAt, textsAt } from "../json.ts";
import { isObject } from "../merge-patch.ts";
import {
  type ControlledServer,
  type Controller,
  controllerManager,
  isOf,
  keyOf,
  type ObjectKey,
} from "./controller.ts";
import { claim, controllerOf, controllerReference, ownersToLookAt } from "./owners.ts";
import { hasEnded } from "./pods.ts";
import { orNone } from "./replica-sets.ts";

const hashLabel = "pod-template-hash";

/** Makes one. */
export function deploymentController(server: ControlledServer): Controller {
  const { store, objects } = server;
  const deployments = server.resource("deployments.apps");
  const replicaSets = server.resource("replicasets.apps");
  const pods = server.resource("pods");
  const by = { manager: controllerManager };

  const reconcile = ({ namespace, name }: ObjectKey): undefined => {
    const object = store.get(deployments, namespace, name);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return;
    const place = { resource: replicaSets, namespace };
    const owner = { resource: deployments, object };
    const own = claim(server, owner, replicaSets, store.list(replicaSets, namespace));
    const wanted = numberAt(object, "spec", "replicas") ?? 1;
    const hash = templateHash(at(object, "spec", "template"));
    const isNew = ({ metadata }: ApiObject) => metadata.labels?.[hashLabel] === hash;
    const old = own.filter((set) => !isNew(set));
    const scale = (set: ApiObject, replicas: number, annotations: object = {}) =>
      objects.patch(place, set.metadata.name, { metadata: { annotations }, spec: { replicas } }, by);
    const mustWait = textAt(object, "spec", "strategy", "type") === "Recreate" && havePods(old);
    const found = own.find(isNew);
    if (mustWait) for (const set of old) scale(set, 0);
    else {
      const annotations = inherited(object);
      const newest = found === undefined ? undefined : scale(found, wanted, annotations);
      if (newest === undefined) {
        const draft = replicaSetOf(object, hash, wanted, [controllerReference(owner)]);
        objects.create(place, { ...draft, metadata: { ...draft.metadata, annotations } }, by);
      }
      let room = Math.max(0, wanted - (numberAt(newest, "status", "readyReplicas") ?? 0));
      for (const set of old) {
        const kept = Math.min(room, numberAt(set, "spec", "replicas") ?? 0);
        room -= kept;
        scale(set, kept);
      }
    }
    writeStatus(object, own, found);
  };

  /** Those on their way out count, too. */
  const havePods = (sets: readonly ApiObject[]) =>
    sets.some(({ metadata }) =>
      store.list(pods, metadata.namespace).some((pod) => controllerOf(pod)?.uid === metadata.uid && !hasEnded(pod)),
    );

  function writeStatus(object: ApiObject, own: readonly ApiObject[], newest: ApiObject | undefined): void {
    const ready = total(own, "readyReplicas");
    const status = {
      observedGeneration: object.metadata.generation,
      replicas: orNone(total(own, "replicas")),
      updatedReplicas: orNone(total(newest === undefined ? [] : [newest], "replicas")),
      readyReplicas: orNone(ready),
      availableReplicas: orNone(ready),
      unavailableReplicas: orNone(Math.max(0, (numberAt(object, "spec", "replicas") ?? 1) - ready)),
    };
    objects.patch(keyOf(deployments, object), object.metadata.name, { status }, { ...by, subresource: "status" });
  }

  return {
    name: "deployments",
    keysOf(change) {
      if (isOf(change, deployments)) return [keyOf(deployments, change.object)];
      if (isOf(change, replicaSets)) return ownersToLookAt(server, deployments, change);
      if (!isOf(change, pods) || change.type !== "DELETED") return [];
      const { namespace } = change.object.metadata;
      const set = store.get(replicaSets, namespace, controllerOf(change.object)?.name ?? "");
      return set === undefined ? [] : ownersToLookAt(server, deployments, { object: set, previous: undefined });
    },
    reconcile,
  };
}

function replicaSetOf(object: ApiObject, hash: string, replicas: number, ownerReferences: readonly unknown[]) {
  const template = at(object, "spec", "template");
  const selector = at(object, "spec", "selector");
  const labels = { ...textsAt(template, "metadata", "labels"), [hashLabel]: hash };
  const metadata = { ...(isObject(template) && isObject(template.metadata) ? template.metadata : {}), labels };
  return {
    metadata: { name: `${object.metadata.name}-${hash}`, labels, ownerReferences },
    spec: {
      replicas,
      selector: {
        ...(isObject(selector) ? selector : {}),
        matchLabels: { ...textsAt(selector, "matchLabels"), [hashLabel]: hash },
      },
      template: { ...(isObject(template) ? template : {}), metadata },
    },
  };
}

/** A ReplicaSet is given the Deployment's annotations, and keeps them when that loses them. */
function inherited({ metadata }: ApiObject): Readonly<Record<string, string>> {
  const { "kubectl.kubernetes.io/last-applied-configuration": _applied, ...annotations } =
    textsAt(metadata, "annotations") ?? {};
  return annotations;
}

function templateHash(template: unknown): string {
  const letters = "bcdfghjklmnpqrstvwxz2456789";
  const digest = createHash("sha256")
    .update(JSON.stringify(template ?? null))
    .digest();
  return [...digest.subarray(0, 10)].map((byte) => letters.charAt(byte % letters.length)).join("");
}

function total(sets: readonly ApiObject[], field: string): number {
  return sets.reduce((sum, set) => sum + (numberAt(set, "status", field) ?? 0), 0);
}
