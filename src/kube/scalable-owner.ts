/** An object with a number of replicas, as far as one has to know it before that number is changed. */
import { LocalizerError } from "../errors.ts";
import type { ServedKind } from "./discovery.ts";
import { at, listAt, numberAt, textAt, textsAt } from "./json.ts";
import { type LabelSelector, parseLabelSelector, selects } from "./label-selector.ts";
import type { ApiResource } from "./list-watch.ts";
import { headOf, type Objects } from "./objects.ts";

/** An object by kind and name, as one speaks of it. */
export interface NamedObject {
  /** "Deployment" */
  readonly kind: string;
  readonly name: string;
}

/** An owner of pods that can be scaled. */
export interface ScalableOwner extends ApiResource, NamedObject {
  readonly namespace: string;
  readonly uid: string;
  /** What it is set to. */
  readonly replicas: number;
  /** `spec`: the number is `spec.replicas`. `scale`: only the subresource knows where it is. */
  readonly scaleBy: "spec" | "scale";
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Which pods it takes for its own; undefined when it does not say so in `spec.selector`. */
  readonly selector: LabelSelector | undefined;
  /** Its pod template (core/v1 PodTemplateSpec) as the API has it; undefined when it has none in `spec.template`. */
  readonly template: unknown;
  /** A StatefulSet whose volumes are deleted with the pods when it is scaled down. */
  readonly losesVolumes: boolean;
  /** What owns it and cannot be scaled itself: an operator, most likely. */
  readonly managedBy: NamedObject | undefined;
}

/** Kinds whose number is known to be `spec.replicas`, 1 when it is absent. */
const bySpec: readonly string[] = [
  "apps/v1/deployments",
  "apps/v1/statefulsets",
  "apps/v1/replicasets",
  "/v1/replicationcontrollers",
];

/**
 * Reads an owner from the API's JSON, and its number of replicas from /scale where `spec` does not tell it for sure.
 * @throws LocalizerError as Objects.getScale; `unavailable` when the Scale says no number
 */
export async function readScalableOwner(
  objects: Pick<Objects, "getScale">,
  { group, version, plural, kind }: ServedKind,
  object: unknown,
  signal?: AbortSignal,
): Promise<Omit<ScalableOwner, "managedBy">> {
  const { namespace, name, uid } = headOf(object);
  const scaleBy = scaleWay({ group, version, plural });
  const ref = { group, version, plural, namespace, name };
  const replicas =
    scaleBy === "spec"
      ? (numberAt(object, "spec", "replicas") ?? 1)
      : replicasOf(await objects.getScale(ref, signal), name);
  const template = at(object, "spec", "template");
  return {
    ...ref,
    kind,
    uid,
    replicas,
    scaleBy,
    labels: textsAt(object, "metadata", "labels"),
    annotations: textsAt(object, "metadata", "annotations"),
    selector: parseLabelSelector(at(object, "spec", "selector")),
    template: typeof template === "object" && template !== null ? template : undefined,
    losesVolumes: isStatefulSet({ group, plural }) && losesVolumes(object),
  };
}

/** Where its number is: in `spec.replicas`, or wherever the subresource says. Pure. */
export function scaleWay({ group, version, plural }: ApiResource): "spec" | "scale" {
  return bySpec.includes(`${group}/${version}/${plural}`) ? "spec" : "scale";
}

/** The labels that its new pods get; undefined when it has no pod template. Pure. */
export function templateLabels({ template }: Pick<ScalableOwner, "template">) {
  return template === undefined ? undefined : textsAt(template, "metadata", "labels");
}

/**
 * Says whether it takes any pod with these labels that has no controller for its own: only ReplicaSets and ReplicationControllers
 * do (verified.md 3.4); those of a Deployment do not, for their selector has the template's hash. Pure.
 */
export function wouldAdopt(
  owner: Pick<ScalableOwner, "group" | "plural" | "selector">,
  labels: Readonly<Record<string, string>>,
): boolean {
  const { group, plural, selector } = owner;
  const adopts =
    (group === "apps" && plural === "replicasets") || (group === "" && plural === "replicationcontrollers");
  return adopts && selector !== undefined && selects(selector, labels);
}

/** `Deployment "cart"`, for messages. */
export function nameObject({ kind, name }: NamedObject): string {
  return `${kind} "${name}"`;
}

function replicasOf(scale: unknown, name: string): number {
  const replicas = numberAt(scale, "spec", "replicas");
  // A Go server leaves out a 0 (omitempty).
  if (replicas !== undefined || at(scale, "spec") !== undefined) return replicas ?? 0;
  const kind = textAt(scale, "kind") ?? "nothing";
  throw new LocalizerError(
    "unavailable",
    `Cannot read how far "${name}" is scaled: the answer is ${kind}, not a Scale`,
  );
}

function isStatefulSet({ group, plural }: Pick<ApiResource, "group" | "plural">): boolean {
  return group === "apps" && plural === "statefulsets";
}

/** Documentation of StatefulSet, "PersistentVolumeClaim retention". */
function losesVolumes(object: unknown): boolean {
  const policy = textAt(object, "spec", "persistentVolumeClaimRetentionPolicy", "whenScaled");
  return policy === "Delete" && listAt(object, "spec", "volumeClaimTemplates").length > 0;
}
