/** The kinds that every simulated API server has. */
import type { ResourceDefinition } from "./api-object.ts";

const core = { group: "", version: "v1", namespaced: true, generation: false } as const;
const apps = { group: "apps", version: "v1", namespaced: true } as const;

/** What localizer and those who try it need. Any other kind can be given to the server as well. */
export const builtInResources: readonly ResourceDefinition[] = [
  { ...core, plural: "namespaces", kind: "Namespace", namespaced: false },
  { ...core, plural: "nodes", kind: "Node", namespaced: false },
  { ...core, plural: "services", kind: "Service" },
  { ...core, plural: "pods", kind: "Pod", generation: true },
  { ...core, plural: "secrets", kind: "Secret" },
  { ...core, plural: "configmaps", kind: "ConfigMap" },
  { ...core, plural: "events", kind: "Event" },
  { ...core, plural: "serviceaccounts", kind: "ServiceAccount" },
  { ...core, plural: "resourcequotas", kind: "ResourceQuota" },
  { ...core, plural: "limitranges", kind: "LimitRange" },
  { ...core, plural: "replicationcontrollers", kind: "ReplicationController", scale: true, generation: true },
  { ...apps, plural: "deployments", kind: "Deployment", scale: true },
  { ...apps, plural: "replicasets", kind: "ReplicaSet", scale: true },
  { ...apps, plural: "statefulsets", kind: "StatefulSet", scale: true },
  { ...apps, plural: "daemonsets", kind: "DaemonSet" },
  { group: "batch", version: "v1", plural: "jobs", kind: "Job", namespaced: true },
  {
    group: "autoscaling",
    version: "v2",
    plural: "horizontalpodautoscalers",
    kind: "HorizontalPodAutoscaler",
    namespaced: true,
    generation: false,
  },
  { group: "policy", version: "v1", plural: "poddisruptionbudgets", kind: "PodDisruptionBudget", namespaced: true },
  { group: "networking.k8s.io", version: "v1", plural: "networkpolicies", kind: "NetworkPolicy", namespaced: true },
  { group: "discovery.k8s.io", version: "v1", plural: "endpointslices", kind: "EndpointSlice", namespaced: true },
  {
    group: "coordination.k8s.io",
    version: "v1",
    plural: "leases",
    kind: "Lease",
    namespaced: true,
    generation: false,
  },
];
