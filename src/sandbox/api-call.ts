/** What a request to the API server wants: path, method and query to a verb on a resource. Pure. */
import type { ResourceDefinition } from "./api-object.ts";
import { methodNotAllowed, Refusal, unknownResource } from "./status.ts";

/** One request, as it came. */
export interface HttpRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The whole body, as text. */
  readonly body: string;
}

/** The verbs, as they stand in roles. */
export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";

/** A request for objects. */
export interface ApiCall {
  readonly verb: Verb;
  readonly resource: ResourceDefinition;
  /** Undefined for all namespaces, and for kinds without. */
  readonly namespace: string | undefined;
  /** Undefined for a collection. */
  readonly name: string | undefined;
  /** Undefined for the object itself. */
  readonly subresource: "scale" | undefined;
  readonly http: HttpRequest;
}

const pathForm =
  /^(?:\/api\/(?<core>v[^/]+)|\/apis\/(?<group>[^/]+)\/(?<version>[^/]+))(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<plural>[^/]+)(?:\/(?<name>[^/]+)(?:\/(?<subresource>[^/]+))?)?$/;

/**
 * Reads a request.
 * @throws Refusal 404 when there is no such resource, 405 when it does not take the method; undefined when the path is
 * none of the API's resources
 */
export function readCall(http: HttpRequest, resources: readonly ResourceDefinition[]): ApiCall | undefined {
  const found = pathForm.exec(http.path)?.groups;
  if (found?.plural === undefined) return undefined;
  const group = found.group ?? "";
  const version = found.version ?? found.core;
  const served = resources.filter((resource) => resource.group === group && resource.version === version);
  if (served.length === 0) return undefined;
  const { namespace, plural, name, subresource } = found;
  const resource = served.find((known) => known.plural === plural);
  if (resource === undefined || (namespace !== undefined && !resource.namespaced)) throw unknownResource();
  if (resource.namespaced && namespace === undefined && (name !== undefined || http.method !== "GET")) {
    throw name === undefined ? methodNotAllowed() : unknownResource();
  }
  const isScale = subresource === "scale" && resource.scale === true;
  if (subresource !== undefined && !isScale) throw unknownResource();
  if (isScale && !["GET", "PUT", "PATCH"].includes(http.method)) throw methodNotAllowed();
  return {
    verb: verbOf(http, name),
    resource,
    namespace: namespace === undefined ? undefined : decode(namespace),
    name: name === undefined ? undefined : decode(name),
    subresource: isScale ? "scale" : undefined,
    http,
  };
}

function verbOf({ method, query }: HttpRequest, name: string | undefined): Verb {
  if (name === undefined) {
    if (method === "POST") return "create";
    if (method === "GET") return isTrue(query.get("watch")) ? "watch" : "list";
    throw methodNotAllowed();
  }
  switch (method) {
    case "GET":
      return "get";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return "delete";
    default:
      throw methodNotAllowed();
  }
}

/** A flag of the query, as Go's strconv.ParseBool reads it. */
export function isTrue(text: string | null): boolean {
  return text !== null && ["1", "t", "T", "true", "TRUE", "True"].includes(text);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new Refusal(400, "BadRequest", `invalid path: ${error instanceof Error ? error.message : text}`);
  }
}
