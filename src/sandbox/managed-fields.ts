/**
 * Who wrote which field last (Kubernetes "Server-Side Apply", field management), for plain writes: a field belongs to the
 * manager who changed it last. Smaller than the real one: a list is one field, and apply is not there. Pure.
 */
import { isDeepStrictEqual } from "node:util";
import { type ApiObject, apiVersionOf, type ResourceDefinition } from "./api-object.ts";
import { at, listAt, textAt } from "./json.ts";
import { isObject } from "./merge-patch.ts";

/** Who writes, and when. */
export interface Writing {
  readonly resource: ResourceDefinition;
  readonly manager: string;
  /** As the API writes times. */
  readonly time: string;
  readonly subresource: string | undefined;
}

type Fields = Map<string, readonly string[]>;

/** What the server alone decides belongs to nobody. */
const unowned = new Set([
  "apiVersion",
  "kind",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "metadata.resourceVersion",
  "metadata.generation",
  "metadata.creationTimestamp",
  "metadata.deletionTimestamp",
  "metadata.deletionGracePeriodSeconds",
  "metadata.managedFields",
]);

/** `metadata.managedFields` of the object after a write. Entries whose fields are all gone go, too. */
export function managedFieldsAfter(
  before: ApiObject | undefined,
  after: ApiObject,
  { resource, manager, time, subresource }: Writing,
): readonly unknown[] {
  const entries = listAt(before, "metadata", "managedFields");
  const old = leavesOf(before);
  const now = leavesOf(after);
  const changed = new Map(
    [...now].filter(([key, { value }]) => !old.has(key) || !isDeepStrictEqual(old.get(key)?.value, value)),
  );
  const isTouched = (key: string) => changed.has(key) || !now.has(key);
  if (changed.size === 0 && [...old.keys()].every((key) => now.has(key))) return entries;
  const isOurs = (entry: unknown) =>
    textAt(entry, "manager") === manager && textAt(entry, "subresource") === subresource;
  const others = entries.flatMap((entry) => {
    const fields = fieldsIn(at(entry, "fieldsV1"));
    const kept: Fields = new Map([...fields].filter(([key]) => !isTouched(key)));
    if (isOurs(entry) || kept.size === 0 || !isObject(entry)) return [];
    return kept.size === fields.size ? [entry] : [{ ...entry, fieldsV1: treeOf(kept) }];
  });
  const ours = [...fieldsIn(at(entries.find(isOurs), "fieldsV1"))].filter(([key]) => now.has(key));
  const owned: Fields = new Map([...ours, ...[...changed].map(([key, { path }]) => [key, path] as const)]);
  if (owned.size === 0) return others;
  const entry = {
    manager,
    operation: "Update",
    apiVersion: apiVersionOf(resource),
    time,
    fieldsType: "FieldsV1",
    fieldsV1: treeOf(owned),
    ...(subresource === undefined ? {} : { subresource }),
  };
  return [...others, entry];
}

interface Leaf {
  readonly path: readonly string[];
  readonly value: unknown;
}

function leavesOf(value: unknown, path: readonly string[] = []): Map<string, Leaf> {
  if (value === undefined || unowned.has(path.join("."))) return new Map();
  if (isObject(value) && (path.length === 0 || Object.keys(value).length > 0)) {
    return new Map(Object.entries(value).flatMap(([name, inside]) => [...leavesOf(inside, [...path, name])]));
  }
  return new Map([[JSON.stringify(path), { path, value }]]);
}

function fieldsIn(tree: unknown, path: readonly string[] = []): Fields {
  if (!isObject(tree)) return new Map();
  const inside = Object.entries(tree).filter(([name]) => name.startsWith("f:"));
  if (inside.length === 0) return path.length === 0 ? new Map() : new Map([[JSON.stringify(path), path]]);
  return new Map(inside.flatMap(([name, below]) => [...fieldsIn(below, [...path, name.slice(2)])]));
}

function treeOf(fields: Fields): unknown {
  const branches = new Map<string, Fields>();
  for (const [name = "", ...rest] of fields.values()) {
    const branch = branches.get(name) ?? new Map();
    branches.set(name, branch);
    if (rest.length > 0) branch.set(JSON.stringify(rest), rest);
  }
  return Object.fromEntries([...branches].map(([name, inside]) => [`f:${name}`, treeOf(inside)]));
}
