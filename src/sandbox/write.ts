/** Requests for one object: the HTTP side of ObjectApi. */
import { type ApiCall, isTrue } from "./api-call.ts";
import { apiVersionOf, type ObjectDraft } from "./api-object.ts";
import { isObject } from "./merge-patch.ts";
import type { ObjectApi } from "./object-api.ts";
import { badRequest, Refusal, unknownResource } from "./status.ts";

/** What is sent back. */
export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/**
 * Runs a get, create, update, patch (JSON merge patches only) or delete.
 * @throws Refusal when the server would refuse
 */
export function runWrite(call: ApiCall, objects: ObjectApi): Reply {
  const { verb, resource, namespace, http } = call;
  const place = { resource, namespace };
  const name = call.name ?? "";
  const options = { dryRun: isDryRun(http.query) };
  switch (verb) {
    case "get":
      return { status: 200, body: objects.get(place, name) };
    case "create":
      return { status: 201, body: objects.create(place, readObject(call), options) };
    case "update":
      return { status: 200, body: objects.update(place, name, readObject(call), options) };
    case "patch": {
      const contentType = String(http.headers["content-type"] ?? "");
      if (!contentType.startsWith("application/merge-patch+json")) {
        throw new Refusal(415, "UnsupportedMediaType", "415: Unsupported Media Type", {});
      }
      return { status: 200, body: objects.patch(place, name, readObject(call), options) };
    }
    case "delete": {
      const { uid } = objects.delete(place, name, preconditionsOf(call), options).metadata;
      const group = resource.group === "" ? {} : { group: resource.group };
      const details = { name, ...group, kind: resource.plural, uid };
      return { status: 200, body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details } };
    }
    default:
      throw unknownResource();
  }
}

function isDryRun(query: URLSearchParams): boolean {
  const wish = query.get("dryRun");
  if (wish === null || wish === "") return false;
  if (wish === "All") return true;
  throw badRequest(`invalid dryRun: "${wish}"${isTrue(wish) ? ', want "All"' : ""}`);
}

function readObject({ http, resource }: ApiCall): ObjectDraft {
  const value = readJson(http.body, resource.kind);
  if (!isObject(value)) throw badRequest(`the object provided is unrecognized (must be of type ${resource.kind})`);
  if (value.apiVersion !== undefined && value.apiVersion !== apiVersionOf(resource)) {
    const wanted = `expected ${apiVersionOf(resource)}`;
    throw badRequest(`the API version in the data (${String(value.apiVersion)}) does not match: ${wanted}`);
  }
  if (value.metadata !== undefined && !isObject(value.metadata)) throw badRequest("metadata is no object");
  for (const field of ["name", "namespace", "uid", "resourceVersion"]) {
    const found: unknown = isObject(value.metadata) ? value.metadata[field] : undefined;
    if (found !== undefined && found !== null && typeof found !== "string") {
      throw badRequest(`metadata.${field} is no string`);
    }
  }
  checkLabels(value.metadata);
  // The fields that the sandbox itself reads were looked at above; all others it only keeps.
  return value as ObjectDraft;
}

/** In a merge patch a label may be null: it is to go. */
function checkLabels(metadata: unknown): void {
  const labels: unknown = isObject(metadata) ? metadata.labels : undefined;
  if (labels === undefined || labels === null) return;
  const isLabel = (value: unknown) => typeof value === "string" || value === null;
  if (!isObject(labels) || !Object.values(labels).every(isLabel)) throw badRequest("metadata.labels are no strings");
}

function preconditionsOf({ http, resource }: ApiCall): { readonly uid?: string; readonly resourceVersion?: string } {
  if (http.body === "") return {};
  const options = readJson(http.body, resource.kind);
  const wanted = isObject(options) && isObject(options.preconditions) ? options.preconditions : {};
  const { uid, resourceVersion } = wanted;
  return {
    ...(typeof uid === "string" ? { uid } : {}),
    ...(typeof resourceVersion === "string" ? { resourceVersion } : {}),
  };
}

function readJson(text: string, kind: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw badRequest(`the object provided is unrecognized (must be of type ${kind}): json parse error: ${why}`);
  }
}
