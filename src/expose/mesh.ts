/** Whether the pods belong to a service mesh, which our own pod stays out of unless it is told otherwise. Pure. */
import { textsAt } from "../kube/json.ts";

/** How one mesh shows, in a pod's or its namespace's labels and annotations. */
interface Mesh {
  readonly name: string;
  /** What a pod shows that is in, and what one shows that stays out, of whatever its namespace says. */
  readonly isIn: (metadata: Metadata) => boolean;
  readonly isOut: (metadata: Metadata) => boolean;
  /** All pods of such a namespace are in. */
  readonly takesAll: (namespace: Metadata) => boolean;
}

interface Metadata {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Istio "Sidecar Injection" and "Ambient mode: add workloads to the mesh"; Linkerd "Automatic proxy injection". */
const meshes: readonly Mesh[] = [
  {
    name: "Istio",
    isIn: ({ labels, annotations }) =>
      annotations["sidecar.istio.io/status"] !== undefined ||
      (labels["sidecar.istio.io/inject"] ?? annotations["sidecar.istio.io/inject"]) === "true" ||
      labels["istio.io/dataplane-mode"] === "ambient",
    isOut: ({ labels, annotations }) =>
      (labels["sidecar.istio.io/inject"] ?? annotations["sidecar.istio.io/inject"]) === "false" ||
      labels["istio.io/dataplane-mode"] === "none",
    takesAll: ({ labels }) =>
      labels["istio-injection"] === "enabled" ||
      labels["istio.io/rev"] !== undefined ||
      labels["istio.io/dataplane-mode"] === "ambient",
  },
  {
    name: "Linkerd",
    isIn: ({ labels, annotations }) => labels["linkerd.io/control-plane-ns"] !== undefined || linkerdTakes(annotations),
    isOut: ({ annotations }) => annotations["linkerd.io/inject"] === "disabled",
    takesAll: ({ annotations }) => linkerdTakes(annotations),
  },
];

/**
 * A sentence for each mesh that has one of the pods.
 * @param pods pods and pod templates; the namespace may be undefined, if it could not be read
 */
export function meshWarnings(pods: readonly unknown[], namespace: unknown): readonly string[] {
  const all = pods.map(metadataOf);
  const ofNamespace = metadataOf(namespace);
  return meshes
    .filter(({ isIn, isOut, takesAll }) => all.some((pod) => !isOut(pod) && (isIn(pod) || takesAll(ofNamespace))))
    .map(
      ({ name }) =>
        `The pods are in a mesh (${name}), and localizer's own is not: callers that insist on mutual TLS are refused, unless the pod's mesh setting is "inherit"`,
    );
}

function linkerdTakes(annotations: Readonly<Record<string, string>>): boolean {
  return annotations["linkerd.io/inject"] === "enabled" || annotations["linkerd.io/inject"] === "ingress";
}

function metadataOf(object: unknown): Metadata {
  return { labels: textsAt(object, "metadata", "labels"), annotations: textsAt(object, "metadata", "annotations") };
}
