/** Requests for one object: the HTTP side of ObjectApi. */
import { type ApiCall, isTrue } from "./api-call.ts";
import { apiVersionOf, type ObjectDraft } from "./api-object.ts";
import { listAt, numberAt, textAt } from "./json.ts";
import { isObject } from "./merge-patch.ts";
import type { ObjectApi, Preconditions, WriteOptions } from "./object-api.ts";
import { scaleOf, writeScale } from "./scale.ts";
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
  const options = {
    dryRun: isDryRun(http.query),
    manager: http.query.get("fieldManager") ?? managerOf(String(http.headers["user-agent"] ?? "")),
  };
  if (verb === "get") {
    const found = objects.get(place, name);
    return { status: 200, body: call.subresource === "scale" ? scaleOf(found) : found };
  }
  if (verb === "patch" && !String(http.headers["content-type"] ?? "").startsWith("application/merge-patch+json")) {
    throw new Refusal(415, "UnsupportedMediaType", "415: Unsupported Media Type", {});
  }
  if (call.subresource === "scale" && (verb === "update" || verb === "patch")) {
    return { status: 200, body: writeScale(objects, { place, name, verb }, readDraft(call), options) };
  }
  switch (verb) {
    case "create":
      return { status: 201, body: objects.create(place, readObject(call), options) };
    case "update":
      return { status: 200, body: objects.update(place, name, readObject(call), options) };
    case "patch":
      return { status: 200, body: objects.patch(place, name, readObject(call), options) };
    case "delete":
      return { status: 200, body: runDelete(call, objects, options) };
    default:
      throw unknownResource();
  }
}

/** Answers with what is left, and else with a Status; of a pod always with its last state. */
function runDelete(call: ApiCall, objects: ObjectApi, options: WriteOptions): unknown {
  const { resource, namespace, name = "", http } = call;
  const wish = readDelete(call);
  const inQuery = http.query.get("gracePeriodSeconds");
  const seconds = inQuery === null ? wish.gracePeriodSeconds : Number(inQuery);
  const { object, gone } = objects.delete({ resource, namespace }, name, wish.preconditions, {
    ...options,
    dryRun: options.dryRun === true || wish.dryRun,
    gracePeriodSeconds: seconds,
  });
  if (!gone || (resource.group === "" && resource.plural === "pods")) return object;
  const group = resource.group === "" ? {} : { group: resource.group };
  const details = { name, ...group, kind: resource.plural, uid: object.metadata.uid };
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details };
}

/** The manager of a client that names none: its User-Agent up to the first slash. */
function managerOf(userAgent: string): string {
  const [first = ""] = userAgent.split("/");
  return first === "" ? "unknown" : first;
}

function isDryRun(query: URLSearchParams): boolean {
  const wish = query.get("dryRun");
  if (wish === null || wish === "") return false;
  if (wish === "All") return true;
  throw badRequest(`invalid dryRun: "${wish}"${isTrue(wish) ? ', want "All"' : ""}`);
}

function readObject(call: ApiCall): ObjectDraft {
  const { resource } = call;
  const value = readDraft(call);
  if (value.apiVersion !== undefined && value.apiVersion !== apiVersionOf(resource)) {
    const wanted = `expected ${apiVersionOf(resource)}`;
    throw badRequest(`the API version in the data (${String(value.apiVersion)}) does not match: ${wanted}`);
  }
  return value;
}

function readDraft({ http, resource }: ApiCall): ObjectDraft {
  const value = readJson(http.body, resource.kind);
  if (!isObject(value)) throw badRequest(`the object provided is unrecognized (must be of type ${resource.kind})`);
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

interface DeleteWish {
  readonly preconditions: Preconditions;
  readonly gracePeriodSeconds: number | undefined;
  readonly dryRun: boolean;
}

function readDelete({ http, resource }: ApiCall): DeleteWish {
  const wish = http.body === "" ? {} : readJson(http.body, resource.kind);
  const text = (field: string) => textAt(wish, "preconditions", field);
  return {
    preconditions: { uid: text("uid"), resourceVersion: text("resourceVersion") },
    gracePeriodSeconds: numberAt(wish, "gracePeriodSeconds"),
    dryRun: listAt(wish, "dryRun").includes("All"),
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
