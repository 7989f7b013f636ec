/** Reading and writing single objects by what they are, instead of by paths. Used by whatever changes something in the cluster. */
import type { ApiClient } from "./api-client.ts";
import { at, listAt, textAt } from "./json.ts";
import { type ApiResource, listPath, pagePath } from "./list-watch.ts";

/** One object, by its kind and name. */
export interface ObjectRef extends ApiResource {
  /** Absent when the kind has no namespaces. */
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** How a change is asked for. */
export interface ChangeOptions {
  readonly signal?: AbortSignal | undefined;
  /** The server checks everything (admission too) and changes nothing. */
  readonly dryRun?: boolean;
}

/** What must hold for an object to be deleted, and how it goes. */
export interface DeleteOptions extends ChangeOptions {
  readonly uid?: string | undefined;
  /** Of a pod; the object's own when absent. */
  readonly gracePeriodSeconds?: number;
}

/** The common coordinates of the kinds that localizer itself writes, or lists. */
export const kinds = {
  pods: { group: "", version: "v1", plural: "pods" },
  secrets: { group: "", version: "v1", plural: "secrets" },
  services: { group: "", version: "v1", plural: "services" },
  endpointSlices: { group: "discovery.k8s.io", version: "v1", plural: "endpointslices" },
  leases: { group: "coordination.k8s.io", version: "v1", plural: "leases" },
} as const satisfies Readonly<Record<string, ApiResource>>;

/** Kubernetes "API concepts": servers answer with the metadata alone, and with all of it where they know no better. */
const metadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
const pageSize = 500;

/** Reads and writes objects. All methods throw as ApiClient.request. */
export class Objects {
  readonly #client: Pick<ApiClient, "request">;

  constructor(client: Pick<ApiClient, "request">) {
    this.#client = client;
  }

  /** The object as the API gives it. @throws LocalizerError `not-found` when there is none */
  get(ref: ObjectRef, signal?: AbortSignal): Promise<unknown> {
    return this.#client.request({ method: "GET", path: objectPath(ref), signal });
  }

  /** Its subresource /scale (autoscaling/v1 Scale). @throws LocalizerError as `get`; `internal` when the object says no number */
  getScale(ref: ObjectRef, signal?: AbortSignal): Promise<unknown> {
    return this.#client.request({ method: "GET", path: `${objectPath(ref)}/scale`, signal });
  }

  /** The items of a list, at most some hundreds; consistent. */
  async list(
    resource: ApiResource,
    scope: { readonly namespace?: string; readonly labelSelector?: string },
    signal?: AbortSignal,
  ): Promise<readonly unknown[]> {
    const path = listPath({ resource, ...scope }, "");
    return listAt(await this.#client.request({ method: "GET", path, signal }), "items");
  }

  /**
   * The metadata of all objects of a kind, however many: a page at a time, consistent among each other.
   * @throws LocalizerError `expired` when the reader took minutes for a page
   */
  async *heads(
    resource: ApiResource,
    { namespace }: { readonly namespace?: string },
    signal?: AbortSignal,
  ): AsyncGenerator<unknown, void, undefined> {
    const scope = { resource, ...(namespace === undefined ? {} : { namespace }) };
    let from = "";
    do {
      const path = pagePath(scope, pageSize, from);
      const page = await this.#client.request({ method: "GET", path, accept: metadataOnly, signal });
      yield* listAt(page, "items");
      from = textAt(page, "metadata", "continue") ?? "";
    } while (from !== "");
  }

  /** Gives what was made. @throws LocalizerError `conflict` when the name is taken */
  create(
    resource: ApiResource,
    namespace: string | undefined,
    body: object,
    options: ChangeOptions = {},
  ): Promise<unknown> {
    const path = listPath({ resource, ...(namespace === undefined ? {} : { namespace }) }, "");
    return this.#change("POST", path, body, options);
  }

  /** Replaces it, or its subresource. @throws LocalizerError `conflict` when the body's version is not the newest */
  replace(ref: ObjectRef, body: object, options: ChangeOptions & { readonly subresource?: "scale" } = {}) {
    const { subresource } = options;
    return this.#change(
      "PUT",
      `${objectPath(ref)}${subresource === undefined ? "" : `/${subresource}`}`,
      body,
      options,
    );
  }

  /** JSON merge patch (RFC 7396). With `metadata.resourceVersion` in it: @throws LocalizerError `conflict` when that is not the newest */
  patch(ref: ObjectRef, body: object, options: ChangeOptions = {}): Promise<unknown> {
    return this.#change("PATCH", objectPath(ref), body, options, "application/merge-patch+json");
  }

  /** @throws LocalizerError `not-found` when there is none, `conflict` when it has another uid */
  async delete(ref: ObjectRef, { uid, gracePeriodSeconds, ...options }: DeleteOptions = {}): Promise<void> {
    const body = {
      propagationPolicy: "Background",
      ...(uid === undefined ? {} : { preconditions: { uid } }),
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    };
    await this.#change("DELETE", objectPath(ref), body, options);
  }

  #change(
    method: "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    body: object,
    { dryRun = false, signal }: ChangeOptions,
    contentType?: string,
  ): Promise<unknown> {
    return this.#client.request({
      method,
      path: dryRun ? `${path}?dryRun=All` : path,
      body,
      signal,
      ...(contentType === undefined ? {} : { contentType }),
    });
  }
}

/** Path of one object. */
export function objectPath({ group, version, plural, namespace, name }: ObjectRef): string {
  const resource = { group, version, plural };
  return `${listPath({ resource, ...(namespace === undefined ? {} : { namespace }) }, "")}/${encodeURIComponent(name)}`;
}

/** What every object has, of the API's JSON. Empty strings where it says nothing. */
export interface ObjectHead {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

/** Reads the head of an object. */
export function headOf(object: unknown): ObjectHead {
  const text = (field: string) => textAt(object, "metadata", field) ?? "";
  return {
    name: text("name"),
    namespace: text("namespace"),
    uid: text("uid"),
    resourceVersion: text("resourceVersion"),
  };
}

/** The annotation of that name, or undefined. */
export function annotationOf(object: unknown, name: string): string | undefined {
  const found = at(object, "metadata", "annotations", name);
  return typeof found === "string" ? found : undefined;
}
