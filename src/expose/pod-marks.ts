/** The labels and annotations that an exposure's pod is made with. Pure. Used by session-manifests. */
import { LocalizerError } from "../errors.ts";
import type { ServiceKey } from "../model/service-key.ts";
import type { PodOptions } from "./pod-options.ts";
import { annotations, labels, sessionLabels } from "./records.ts";

/** Whose pod it is. */
export interface MarkedPod {
  readonly key: ServiceKey;
  /** The Service's; none of it is put on the pod here. */
  readonly selector: Readonly<Record<string, string>>;
  /** Names of the user's labels that are not put on here either; absent means none. */
  readonly lateLabels?: readonly string[];
  readonly session: string;
  /** `user@host`. */
  readonly holder: string;
}

/** For an object's metadata. */
export interface PodMarks {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What keeps the sidecars of Istio (both ways of it) and Linkerd away. */
const meshOff = {
  labels: { "sidecar.istio.io/inject": "false", "istio.io/dataplane-mode": "none" },
  annotations: { "linkerd.io/inject": "disabled" },
} as const;

/**
 * The user's, and ours: what webhooks and policies look at when the pod is made has to be there.
 * @throws LocalizerError `usage` when the user wants one that is ours, or is in the Service's selector
 */
export function podMarks(
  { key, selector, lateLabels = [], session, holder }: MarkedPod,
  options: PodOptions,
): PodMarks {
  const mesh = options.mesh === "off" ? meshOff : { labels: {}, annotations: {} };
  const ours = {
    labels: { ...mesh.labels, ...sessionLabels({ session, key }) },
    annotations: { ...mesh.annotations, [annotations.holder]: holder },
  };
  for (const [kind, taken] of [
    ["label", { ...ours.labels, ...selector }],
    ["annotation", ours.annotations],
  ] as const) {
    for (const name of Object.keys(options[`${kind}s`])) {
      if (!Object.hasOwn(taken, name) && !name.startsWith("localizer.dev/")) continue;
      throw new LocalizerError(
        "usage",
        `Cannot set the ${kind} "${name}" on the pod of "${key}": ${whose(name, selector)}`,
      );
    }
  }
  return {
    labels: { ...pickLabels(options.labels, (name) => !lateLabels.includes(name)), ...ours.labels },
    annotations: { ...options.annotations, ...ours.annotations },
  };
}

/**
 * The wish without labels that are in the Service's selector by now: for a pod that is made anew, which has to come up whatever has
 * become of the Service meanwhile.
 */
export function withoutSelected(options: PodOptions, selector: Readonly<Record<string, string>>): PodOptions {
  return { ...options, labels: pickLabels(options.labels, (name) => !Object.hasOwn(selector, name)) };
}

/** Those of them whose name is wanted. */
export function pickLabels(
  from: Readonly<Record<string, string>>,
  isWanted: (name: string) => boolean,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(from).filter(([name]) => isWanted(name)));
}

function whose(name: string, selector: Readonly<Record<string, string>>): string {
  if (name.startsWith("localizer.dev/") || name === labels.managedBy) return "it is localizer's own";
  if (Object.hasOwn(selector, name)) return "it is in the Service's selector and comes when traffic can flow";
  return `it keeps the mesh away; choose mesh "inherit" to set it`;
}
