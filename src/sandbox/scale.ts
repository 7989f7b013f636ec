/** The subresource `scale` (autoscaling/v1): how many there shall be, whatever kind it is. */
import { type ApiObject, apiVersionOf, type ObjectDraft, type ResourceDefinition } from "./api-object.ts";
import { at, numberAt, textAt } from "./json.ts";
import { isObject, mergePatch } from "./merge-patch.ts";
import type { ObjectApi, ObjectPlace, WriteOptions } from "./object-api.ts";
import { selectorText } from "./object-selector.ts";
import { badRequest, changed, conflict, invalid } from "./status.ts";

const scaleKind: ResourceDefinition = {
  group: "autoscaling",
  version: "v1",
  plural: "scales",
  kind: "Scale",
  namespaced: true,
};

/** The Scale of an object. */
export function scaleOf(object: ApiObject): unknown {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = numberAt(object, "spec", "replicas") ?? 0;
  const selector = at(object, "spec", "selector");
  const text = textAt(object, "status", "selector") ?? (isObject(selector) ? selectorText(selector) : "");
  return {
    kind: scaleKind.kind,
    apiVersion: apiVersionOf(scaleKind),
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion, creationTimestamp },
    // Go's omitempty: none is not said.
    spec: replicas === 0 ? {} : { replicas },
    status: { replicas: numberAt(object, "status", "replicas") ?? 0, ...(text === "" ? {} : { selector: text }) },
  };
}

/**
 * Replaces or patches the Scale, and answers with it.
 * @throws Refusal as the server refuses: 409 for a version that is not the newest, and for another uid
 */
export function writeScale(
  objects: ObjectApi,
  { place, name, verb }: { readonly place: ObjectPlace; readonly name: string; readonly verb: "update" | "patch" },
  body: ObjectDraft,
  options: WriteOptions,
): unknown {
  const { resource, namespace } = place;
  const before = objects.get(place, name);
  const wanted = verb === "patch" ? mergePatch(scaleOf(before), body) : body;
  const kind = textAt(wanted, "kind");
  if (kind !== undefined && kind !== scaleKind.kind) {
    const why = `converting (${resource.version}.${kind}) to (autoscaling.Scale): unknown conversion`;
    throw badRequest(`${kind} in version "${resource.version}" cannot be handled as a Scale: ${why}`);
  }
  const named = textAt(wanted, "metadata", "name") ?? "";
  if (named !== name) {
    throw badRequest(`the name of the object (${named}) does not match the name on the URL (${name})`);
  }
  const replicas = at(wanted, "spec", "replicas") ?? 0;
  if (typeof replicas !== "number") throw badRequest("spec.replicas is no number");
  if (replicas < 0) {
    throw invalid(scaleKind, name, "spec.replicas", `Invalid value: ${replicas}: must be greater than or equal to 0`);
  }
  const version = textAt(wanted, "metadata", "resourceVersion");
  if (version !== undefined && version !== before.metadata.resourceVersion) throw conflict(resource, name, changed);
  const uid = textAt(wanted, "metadata", "uid");
  if (uid !== undefined && uid !== before.metadata.uid) {
    const failed = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${before.metadata.uid}`;
    if (verb === "patch") throw conflict({ ...resource, plural: `${resource.plural}/scale` }, name, failed);
    const key = `/registry/${resource.plural}/${namespace === undefined ? "" : `${namespace}/`}${name}`;
    const why = `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${failed}`;
    throw conflict(resource, name, why);
  }
  return scaleOf(objects.patch(place, name, { spec: { replicas } }, { ...options, subresource: "scale" }));
}
