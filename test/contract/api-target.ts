/** What a contract suite is run against: the sandbox, or a real API server. */
import type { ApiClient, ApiRequest } from "../../src/kube/api-client.ts";
import { apiStatusOf } from "../../src/kube/api-status.ts";
import { at, textAt } from "../../src/kube/json.ts";
import type { ApiResource } from "../../src/kube/list-watch.ts";
import type { ObjectKind } from "../../src/kube/object-cache.ts";

/** A server that is up, with namespaces for one suite. */
export interface ApiTarget {
  /** May do all. */
  readonly client: ApiClient;
  /** Two namespaces, empty at the start; nobody else writes Leases there. */
  readonly namespaces: readonly [string, string];
  /** A client who may list Services and EndpointSlices in the first namespace only. */
  readonly limited: () => Promise<ApiClient>;
  /** A kind of which all versions up to 1 are forgotten, and what its objects say that they are. */
  readonly forgetful: () => Promise<{ readonly resource: ApiResource; readonly kind: string }>;
}

/** A Lease, slimmed for these suites. */
export interface Thing {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly holder: string | undefined;
}

/** Reads one; it may be of another kind. */
export function parseThing(value: unknown): Thing {
  return {
    namespace: textAt(value, "metadata", "namespace") ?? "",
    name: textAt(value, "metadata", "name") ?? "",
    uid: textAt(value, "metadata", "uid") ?? "",
    holder: textAt(value, "spec", "holderIdentity"),
  };
}

/** Leases: every server has them, and in a new namespace there are none. */
export const leases: ObjectKind<Thing> = {
  resource: { group: "coordination.k8s.io", version: "v1", plural: "leases" },
  parse: parseThing,
  indexBy: ({ holder }) => holder ?? "",
};

/** Path of the Leases in a namespace, or of one. */
export function leasePath(namespace: string, name?: string): string {
  const folder = folderOf(leases.resource, namespace);
  return name === undefined ? folder : `${folder}/${name}`;
}

/** Path of all objects of a kind of some group in a namespace. */
export function folderOf({ group, version, plural }: ApiResource, namespace: string): string {
  return `/apis/${group}/${version}/namespaces/${namespace}/${plural}`;
}

/** Makes, changes and deletes Leases through the target's own API. */
export function leaseWriter({ client }: Pick<ApiTarget, "client">, namespace: string) {
  return {
    /** Gives the uid. */
    async create(name: string, holder: string, labels: Readonly<Record<string, string>> = {}): Promise<string> {
      const body = { metadata: { name, labels }, spec: { holderIdentity: holder } };
      const made = await client.request({ method: "POST", path: leasePath(namespace), body });
      return textAt(made, "metadata", "uid") ?? "";
    },
    async patch(name: string, body: object): Promise<void> {
      const merge = { contentType: "application/merge-patch+json", body };
      await client.request({ method: "PATCH", path: leasePath(namespace, name), ...merge });
    },
    async delete(name: string): Promise<void> {
      await client.request({ method: "DELETE", path: leasePath(namespace, name) });
    },
  };
}

/** The version of a list, as a watch may begin from it. */
export function versionOf(list: unknown): string {
  const version = at(list, "metadata", "resourceVersion");
  return typeof version === "string" ? version : "";
}

/** `409 Conflict: message` of a call that must fail. */
export async function refusalOf(client: ApiClient, request: ApiRequest): Promise<string> {
  const error: unknown = await client.request(request).then(
    () => new Error(`${request.method} ${request.path} was allowed`),
    (thrown: unknown) => thrown,
  );
  const status = apiStatusOf(error);
  if (status === undefined) throw error;
  return `${status.httpStatus} ${status.reason}: ${status.message}`;
}
