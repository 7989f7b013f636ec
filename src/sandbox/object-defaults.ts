/** What the API server adds to an object that leaves it out, as far as somebody here reads it (Kubernetes API reference). Pure. */
import type { ApiObject, ResourceDefinition } from "./api-object.ts";
import { at, textsAt } from "./json.ts";
import { isObject } from "./merge-patch.ts";

/** The object with its defaults. */
export function withDefaults({ group, plural }: ResourceDefinition, object: ApiObject): ApiObject {
  const { metadata, spec, status } = object;
  if (group === "" && plural === "namespaces") {
    const labels = { "kubernetes.io/metadata.name": metadata.name, ...metadata.labels };
    return { ...object, metadata: { ...metadata, labels }, status: status ?? { phase: "Active" } };
  }
  const template = textsAt(spec, "template", "metadata", "labels");
  const hasNoLabels = Object.keys(metadata.labels ?? {}).length === 0;
  const labelled =
    plural === "replicationcontrollers" && hasNoLabels && template !== undefined
      ? { metadata: { ...metadata, labels: template } }
      : {};
  const phase = group === "" && plural === "pods" ? { status: status ?? { phase: "Pending" } } : {};
  const complete = isObject(spec) ? specDefaults[`${group}/${plural}`]?.(spec) : undefined;
  return { ...object, ...labelled, ...phase, ...(complete === undefined ? {} : { spec: complete }) };
}

type Spec = Readonly<Record<string, unknown>>;

const specDefaults: Readonly<Record<string, (spec: Spec) => Spec>> = {
  "/pods": (spec) => ({
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    ...withProtocols(spec, "containers"),
  }),
  "/services": (spec) => ({ type: "ClusterIP", sessionAffinity: "None", ...servicePorts(spec) }),
  "/replicationcontrollers": (spec) => ({
    replicas: 1,
    selector: textsAt(spec, "template", "metadata", "labels") ?? {},
    ...spec,
  }),
  "apps/replicasets": (spec) => ({ replicas: 1, ...spec }),
  "apps/deployments": (spec) => ({ replicas: 1, strategy: { type: "RollingUpdate" }, ...spec }),
  "apps/statefulsets": (spec) => ({
    replicas: 1,
    podManagementPolicy: "OrderedReady",
    updateStrategy: { type: "RollingUpdate" },
    persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
    ...spec,
  }),
};

function servicePorts(spec: Spec): Spec {
  if (!Array.isArray(spec.ports)) return spec;
  const ports: readonly unknown[] = spec.ports;
  const complete = (port: unknown) =>
    isObject(port) ? { protocol: "TCP", targetPort: at(port, "port"), ...port } : port;
  return { ...spec, ports: ports.map(complete) };
}

function withProtocols(spec: Spec, field: string): Spec {
  const found = spec[field];
  if (!Array.isArray(found)) return spec;
  const containers: readonly unknown[] = found;
  const complete = (port: unknown) => (isObject(port) ? { protocol: "TCP", ...port } : port);
  const withPorts = (container: unknown) =>
    isObject(container) && Array.isArray(container.ports)
      ? { ...container, ports: container.ports.map(complete) }
      : container;
  return { ...spec, [field]: containers.map(withPorts) };
}
