/** Objects of the simulated cluster, as JSON that the API shows, and the kinds that it knows. Pure. */

/** A kind of object, as it stands in the API's paths. */
export interface ResourceDefinition {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** The part of an object that is alike in all kinds. */
export interface ObjectMeta {
  readonly name: string;
  /** Empty or absent when the kind has no namespaces. */
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** An object as it is stored and sent. */
export interface ApiObject {
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** An object as a client writes it. */
export interface ObjectDraft {
  readonly metadata?: Partial<ObjectMeta>;
  readonly [field: string]: unknown;
}

/** What localizer and those who try it need. Any other kind can be given to the server as well. */
export const builtInResources: readonly ResourceDefinition[] = [
  { group: "", version: "v1", plural: "namespaces", kind: "Namespace", namespaced: false },
  { group: "", version: "v1", plural: "nodes", kind: "Node", namespaced: false },
  { group: "", version: "v1", plural: "services", kind: "Service", namespaced: true },
  { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true },
  { group: "", version: "v1", plural: "secrets", kind: "Secret", namespaced: true },
  { group: "", version: "v1", plural: "configmaps", kind: "ConfigMap", namespaced: true },
  { group: "apps", version: "v1", plural: "deployments", kind: "Deployment", namespaced: true },
  { group: "apps", version: "v1", plural: "replicasets", kind: "ReplicaSet", namespaced: true },
  { group: "apps", version: "v1", plural: "statefulsets", kind: "StatefulSet", namespaced: true },
  { group: "discovery.k8s.io", version: "v1", plural: "endpointslices", kind: "EndpointSlice", namespaced: true },
  { group: "coordination.k8s.io", version: "v1", plural: "leases", kind: "Lease", namespaced: true },
];

/** `v1` or `apps/v1`. */
export function apiVersionOf({ group, version }: Pick<ResourceDefinition, "group" | "version">): string {
  return group === "" ? version : `${group}/${version}`;
}

/** `services`, or `deployments.apps`: the name of a kind in the server's sentences. */
export function qualifiedName({ group, plural }: Pick<ResourceDefinition, "group" | "plural">): string {
  return group === "" ? plural : `${plural}.${group}`;
}
