/** The garbage collector (Kubernetes "Garbage Collection", background): an object goes when all its owners are gone. */
import type { ApiObject } from "../api-object.ts";
import { listAt, textAt } from "../json.ts";
import { type ControlledServer, type Controller, keyOf, type ObjectKey } from "./controller.ts";
import { leadsTo, type OwnerReference, ownersOf } from "./owners.ts";

const by = { manager: "kube-controller-manager" };

/** Makes one. Owners of kinds that the server does not know count as there. */
export function garbageCollector(server: ControlledServer): Controller {
  const { store, objects, resources } = server;

  const isThere = (owner: OwnerReference, namespace: string | undefined): boolean => {
    const resource = resources.find((known) => leadsTo(owner, known));
    if (resource === undefined) return true;
    const found = store.get(resource, resource.namespaced ? namespace : undefined, owner.name);
    return found?.metadata.uid === owner.uid;
  };

  const reconcile = ({ resource, namespace, name }: ObjectKey): undefined => {
    const object = store.get(resource, namespace, name);
    const owners = ownersOf(object);
    if (object === undefined || owners.length === 0 || object.metadata.deletionTimestamp !== undefined) return;
    const { uid } = object.metadata;
    const living = owners.filter((owner) => isThere(owner, namespace));
    if (living.length === 0) objects.delete({ resource, namespace }, name, { uid }, by);
    else if (living.length < owners.length) {
      const isLiving = (reference: unknown) => living.some((owner) => owner.uid === textAt(reference, "uid"));
      const ownerReferences = listAt(object, "metadata", "ownerReferences").filter(isLiving);
      objects.patch({ resource, namespace }, name, { metadata: { uid, ownerReferences } }, by);
    }
  };

  /** All that name it as an owner. */
  const dependentsOf = ({ metadata }: ApiObject): readonly ObjectKey[] =>
    resources.flatMap((resource) =>
      store
        .list(resource, metadata.namespace)
        .filter((object) => ownersOf(object).some(({ uid }) => uid === metadata.uid))
        .map((object) => keyOf(resource, object)),
    );

  return {
    name: "garbage-collector",
    keysOf({ type, resource, object }) {
      if (type === "DELETED") return dependentsOf(object);
      return ownersOf(object).length === 0 ? [] : [keyOf(resource, object)];
    },
    reconcile,
  };
}
