/** Lists of the simulated API server, by the rules for versions (Kubernetes API concepts, "Resource versions"). */
import type { ApiCall } from "./api-call.ts";
import type { ApiObject } from "./api-object.ts";
import type { ObjectStore } from "./object-store.ts";
import { selectionOf } from "./selection.ts";
import { Refusal, tooLargeVersion } from "./status.ts";
import { parseVersion } from "./watch.ts";

/**
 * The objects that the call is about, and as of which version.
 * @throws Refusal 400 when the query cannot be read, 504 for a version that is not there yet, 410 when exactly an old one
 * is wanted: old states are not kept
 */
export function listObjects(
  call: ApiCall,
  store: Pick<ObjectStore, "list" | "version">,
): { readonly version: number; readonly items: readonly ApiObject[] } {
  const { query } = call.http;
  const wanted = parseVersion(query.get("resourceVersion"));
  if (wanted > store.version) throw tooLargeVersion(wanted, store.version);
  if (query.get("resourceVersionMatch") === "Exact" && wanted !== store.version) {
    throw new Refusal(410, "Expired", "The resourceVersion for the provided list is too old.");
  }
  const selects = selectionOf(call);
  return { version: store.version, items: store.list(call.resource, call.namespace).filter(selects) };
}
