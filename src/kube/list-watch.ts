/** Which objects to follow, and the API's paths for listing and watching them. Pure. */
import { LocalizerError } from "../errors.ts";
import { at, textAt } from "./json.ts";

/** A kind of object, as it stands in the API's paths. */
export interface ApiResource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

/** Some objects of a kind. */
export interface ListScope {
  readonly resource: ApiResource;
  /** All namespaces when absent. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** Path of the list. `resourceVersion` "0" is whatever the server has at hand, "" is consistent, else: not older. */
export function listPath(scope: ListScope, resourceVersion: string): string {
  return withQuery(scope, resourceVersion === "" ? {} : { resourceVersion });
}

/** Path of a list of one object at the most, which shows whether the list is allowed. */
export function probePath(scope: ListScope): string {
  return withQuery(scope, { limit: "1" });
}

/** Path of a page of the list: `limit` objects at the most, those behind what `from` (`metadata.continue` of the page before) names. */
export function pagePath(scope: ListScope, limit: number, from: string): string {
  return withQuery(scope, { limit: String(limit), ...(from === "" ? {} : { continue: from }) });
}

/** Path of a watch for what happens after `resourceVersion`, which the server ends after `timeoutSeconds`. */
export function watchPath(scope: ListScope, resourceVersion: string, timeoutSeconds: number): string {
  const query = { watch: "1", allowWatchBookmarks: "true", resourceVersion, timeoutSeconds: String(timeoutSeconds) };
  return withQuery(scope, query);
}

/**
 * The version of a list as the API gave it, with or without its items.
 * @throws LocalizerError `unavailable` when it is none
 */
export function listVersion(list: unknown, scope: ListScope): string {
  const resourceVersion = textAt(list, "metadata", "resourceVersion");
  const items = at(list, "items");
  // An empty list of a Go server may be null.
  if (resourceVersion === undefined || !(Array.isArray(items) || items === null)) {
    throw new LocalizerError("unavailable", `Cannot list ${describeScope(scope)}: the answer is no list`);
  }
  return resourceVersion;
}

/** `services in namespace "shop"`, for messages. */
export function describeScope({ resource, namespace }: ListScope): string {
  return namespace === undefined ? resource.plural : `${resource.plural} in namespace "${namespace}"`;
}

function withQuery(scope: ListScope, query: Readonly<Record<string, string>>): string {
  // Not every kind comes from discovery: no part of one may lead to another path.
  const { group, version, plural } = scope.resource;
  const [groupPart, versionPart] = [encodeURIComponent(group), encodeURIComponent(version)];
  const base = group === "" ? `/api/${versionPart}` : `/apis/${groupPart}/${versionPart}`;
  const folder = scope.namespace === undefined ? "" : `/namespaces/${encodeURIComponent(scope.namespace)}`;
  const parameters = new URLSearchParams(query);
  if (scope.labelSelector !== undefined) parameters.set("labelSelector", scope.labelSelector);
  if (scope.fieldSelector !== undefined) parameters.set("fieldSelector", scope.fieldSelector);
  const text = parameters.toString();
  return `${base}${folder}/${encodeURIComponent(plural)}${text === "" ? "" : `?${text}`}`;
}
