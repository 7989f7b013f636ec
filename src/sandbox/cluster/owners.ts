/** Owner references (Kubernetes "Owners and Dependents"): who an object belongs to, and taking it over. */
import { type ApiObject, apiVersionOf, type ResourceDefinition } from "../api-object.ts";
import { at, listAt, textAt } from "../json.ts";
import { matchesSelector } from "../object-selector.ts";
import { type ControlledServer, controllerManager, type ObjectKey } from "./controller.ts";

/** A reference, as far as it is read here. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller: boolean;
}

/** An object that has others. */
export interface Owner {
  readonly resource: ResourceDefinition;
  readonly object: ApiObject;
}

/** All references of an object. */
export function ownersOf(object: ApiObject | undefined): readonly OwnerReference[] {
  return listAt(object, "metadata", "ownerReferences").map((reference) => ({
    apiVersion: textAt(reference, "apiVersion") ?? "",
    kind: textAt(reference, "kind") ?? "",
    name: textAt(reference, "name") ?? "",
    uid: textAt(reference, "uid") ?? "",
    controller: at(reference, "controller") === true,
  }));
}

/** The one reference that says `controller: true`. */
export function controllerOf(object: ApiObject | undefined): OwnerReference | undefined {
  return ownersOf(object).find(({ controller }) => controller);
}

/** The reference that makes the owner an object's controller. */
export function controllerReference({ resource, object }: Owner): Readonly<Record<string, unknown>> {
  const { name, uid } = object.metadata;
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** Whether a reference leads to an object of that kind. */
export function leadsTo(reference: OwnerReference, resource: ResourceDefinition): boolean {
  return reference.kind === resource.kind && reference.apiVersion === apiVersionOf(resource);
}

/** Which owners a changed dependent concerns: its controller now and before, or, without one, all whose selector it matches. */
export function ownersToLookAt(
  { store }: Pick<ControlledServer, "store">,
  owners: ResourceDefinition,
  { object, previous }: { readonly object: ApiObject; readonly previous: ApiObject | undefined },
): readonly ObjectKey[] {
  const { namespace } = object.metadata;
  const references = [object, previous].flatMap((state) => controllerOf(state) ?? []);
  const names = references.filter((reference) => leadsTo(reference, owners)).map(({ name }) => name);
  const matching =
    controllerOf(object) === undefined
      ? store
          .list(owners, namespace)
          .filter((owner) => selects(owner, object))
          .map(({ metadata }) => metadata.name)
      : [];
  return [...new Set([...names, ...matching])].map((name) => ({ resource: owners, namespace, name }));
}

/** The dependents of an owner; one without a controller that matches its selector is taken over, one that does not match any more is let go. */
export function claim(
  { objects }: Pick<ControlledServer, "objects">,
  owner: Owner,
  resource: ResourceDefinition,
  candidates: readonly ApiObject[],
): readonly ApiObject[] {
  const { uid } = owner.object.metadata;
  return candidates.flatMap((object) => {
    const { name, namespace } = object.metadata;
    const controller = controllerOf(object);
    const matches = selects(owner.object, object);
    const references = listAt(object, "metadata", "ownerReferences");
    const write = (ownerReferences: readonly unknown[]) =>
      objects.patch(
        { resource, namespace },
        name,
        { metadata: { uid: object.metadata.uid, ownerReferences } },
        { manager: controllerManager },
      );
    if (controller?.uid === uid) {
      if (matches) return [object];
      write(references.filter((reference) => textAt(reference, "uid") !== uid));
      return [];
    }
    const isFree = controller === undefined && object.metadata.deletionTimestamp === undefined;
    return matches && isFree ? [write([...references, controllerReference(owner)])] : [];
  });
}

function selects(owner: ApiObject, object: ApiObject): boolean {
  return matchesSelector(at(owner, "spec", "selector"), object.metadata.labels ?? {});
}
