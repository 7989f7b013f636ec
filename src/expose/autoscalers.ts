/** What scales the owners by itself, and what it will do while they are at 0: HorizontalPodAutoscalers and KEDA. */
import { codeOf } from "../errors.ts";
import { type Discovery, splitApiVersion } from "../kube/discovery.ts";
import { listAt, textAt } from "../kube/json.ts";
import type { Objects } from "../kube/objects.ts";
import { annotationOf } from "../kube/objects.ts";
import { nameObject, type ScalableOwner } from "../kube/scalable-owner.ts";
import { listIfAllowed } from "./list-if-allowed.ts";

/** What is asked. */
export interface AutoscalerComponents {
  readonly objects: Pick<Objects, "list">;
  readonly discovery: Pick<Discovery, "find">;
}

/** Of an owner, what an autoscaler says about its target. */
type Target = Pick<ScalableOwner, "group" | "kind" | "name" | "namespace">;

const autoscalers = { group: "autoscaling", version: "v2", plural: "horizontalpodautoscalers" } as const;
const scaledObjects = { group: "keda.sh", version: "v1alpha1", kind: "ScaledObject" } as const;

/** A sentence for each that scales one of the owners, and for each kind that could not be looked at. Throws as Objects.list, but for rights. */
export async function autoscalerWarnings(
  { objects, discovery }: AutoscalerComponents,
  owners: readonly Target[],
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const namespace = owners[0]?.namespace;
  if (namespace === undefined) return [];
  const hpas = await listIfAllowed(objects, autoscalers, namespace, signal);
  const keda = await findKeda(discovery, signal);
  const scaled = keda === undefined ? undefined : await listIfAllowed(objects, keda, namespace, signal);
  return [
    ...(hpas === undefined ? [closed("horizontalpodautoscalers.autoscaling")] : []),
    ...(keda !== undefined && scaled === undefined ? [closed("scaledobjects.keda.sh")] : []),
    ...(hpas ?? []).flatMap((hpa) => hpaWarning(hpa, owners, scaled !== undefined)),
    ...(scaled ?? []).flatMap((one) => kedaWarning(one, owners)),
  ];
}

/** With KEDA's API out of order nobody can see its objects, which is no reason to refuse. */
async function findKeda(discovery: Pick<Discovery, "find">, signal: AbortSignal | undefined) {
  try {
    return await discovery.find(scaledObjects, signal);
  } catch (error) {
    if (codeOf(error) === "aborted") throw error;
    return undefined;
  }
}

/** Kubernetes documentation, "Implicit maintenance-mode deactivation". KEDA has one made for each ScaledObject, which knows more if it can be seen. */
function hpaWarning(hpa: unknown, owners: readonly Target[], isKedaSeen: boolean): string[] {
  const target = targetOf(hpa, owners, {});
  if (target === undefined) return [];
  const scaled = listAt(hpa, "metadata", "ownerReferences").find(
    (owner) => textAt(owner, "kind") === scaledObjects.kind,
  );
  if (scaled !== undefined) return isKedaSeen ? [] : [kedaSentence(textAt(scaled, "name") ?? "", target)];
  const name = textAt(hpa, "metadata", "name") ?? "";
  return [
    `HorizontalPodAutoscaler "${name}" pauses while ${nameObject(target)} is at 0, and goes on when the replicas are back`,
  ];
}

function kedaWarning(scaled: unknown, owners: readonly Target[]): string[] {
  const target = targetOf(scaled, owners, { apiVersion: "apps/v1", kind: "Deployment" });
  const isPaused =
    annotationOf(scaled, "autoscaling.keda.sh/paused") === "true" ||
    annotationOf(scaled, "autoscaling.keda.sh/paused-replicas") === "0";
  return target === undefined || isPaused ? [] : [kedaSentence(textAt(scaled, "metadata", "name") ?? "", target)];
}

/** KEDA documentation, "Pause autoscaling". */
function kedaSentence(name: string, target: Target): string {
  const advice = 'annotate it with autoscaling.keda.sh/paused-replicas: "0" for as long as the Service is exposed';
  return `KEDA's ScaledObject "${name}" may start pods of ${nameObject(target)} again: ${advice}`;
}

function targetOf(
  scaler: unknown,
  owners: readonly Target[],
  defaults: { readonly apiVersion?: string; readonly kind?: string },
): Target | undefined {
  const field = (name: string) => textAt(scaler, "spec", "scaleTargetRef", name);
  const { group } = splitApiVersion(field("apiVersion") ?? defaults.apiVersion ?? "");
  const kind = field("kind") ?? defaults.kind;
  return owners.find((owner) => owner.group === group && owner.kind === kind && owner.name === field("name"));
}

function closed(resource: string): string {
  return `Cannot see what scales the workload by itself: you may not list ${resource}`;
}
