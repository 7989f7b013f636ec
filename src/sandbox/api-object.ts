/** Objects of the simulated cluster, as JSON that the API shows, and the kinds that it knows. Pure. */

/** A kind of object, as it stands in the API's paths. */
export interface ResourceDefinition {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** It has the subresource `scale`: `spec.replicas` is how many there shall be. */
  readonly scale?: boolean;
  /** False for kinds whose objects have no `metadata.generation`. */
  readonly generation?: boolean;
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

/** `v1` or `apps/v1`. */
export function apiVersionOf({ group, version }: Pick<ResourceDefinition, "group" | "version">): string {
  return group === "" ? version : `${group}/${version}`;
}

/** `services`, or `deployments.apps`: the name of a kind in the server's sentences. */
export function qualifiedName({ group, plural }: Pick<ResourceDefinition, "group" | "plural">): string {
  return group === "" ? plural : `${plural}.${group}`;
}
