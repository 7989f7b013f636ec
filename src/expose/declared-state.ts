/**
 * Who keeps the owners as they are declared somewhere else, and may put the replicas back: Argo CD, Flux, operators. Known by
 * what they write onto the objects (decision 36). Pure.
 */
import { nameObject, type ScalableOwner } from "../kube/scalable-owner.ts";

/** What an owner shows of them. */
export type DeclaredOwner = Pick<ScalableOwner, "kind" | "name" | "labels" | "annotations" | "managedBy">;

const fluxKinds = [
  { kind: "Kustomization", prefix: "kustomize.toolkit.fluxcd.io", when: "with its next reconciliation" },
  { kind: "HelmRelease", prefix: "helm.toolkit.fluxcd.io", when: "with its next upgrade or drift correction" },
] as const;

/** A sentence for each of them, with what it will do. */
export function declaredStateWarnings(owners: readonly DeclaredOwner[]): readonly string[] {
  return owners.flatMap((owner) => [...argoWarning(owner), ...fluxWarnings(owner), ...operatorWarning(owner)]);
}

/** Argo CD documentation, "Resource tracking": `application:group/kind:namespace/name`. */
function argoWarning(owner: DeclaredOwner): string[] {
  const tracking = owner.annotations["argocd.argoproj.io/tracking-id"];
  if (tracking === undefined) return [];
  const [application = ""] = tracking.split(":", 1);
  const what = `Argo CD's Application "${application}" keeps ${nameObject(owner)}`;
  return [`${what}: if it heals itself and git says the replicas, it puts them back while the Service is exposed`];
}

/** Flux documentation of both kinds; `reconcile: disabled` has the kustomize-controller leave an object alone. */
function fluxWarnings(owner: DeclaredOwner): string[] {
  return fluxKinds.flatMap(({ kind, prefix, when }) => {
    const name = owner.labels[`${prefix}/name`];
    if (name === undefined || owner.annotations[`${prefix}/reconcile`] === "disabled") return [];
    const what = `Flux's ${kind} "${name}" keeps ${nameObject(owner)}`;
    const advice =
      kind === "Kustomization"
        ? `; annotate it with ${prefix}/reconcile: disabled for as long as the Service is exposed`
        : "";
    return [`${what}: if it says the replicas, it puts them back ${when}${advice}`];
  });
}

function operatorWarning(owner: DeclaredOwner): string[] {
  if (owner.managedBy === undefined) return [];
  const what = `${nameObject(owner)} belongs to ${nameObject(owner.managedBy)}`;
  return [`${what}, whose operator may put the replicas back while the Service is exposed`];
}
