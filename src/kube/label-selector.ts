/** The label selectors of workloads (meta/v1 LabelSelector, and the plain map of a ReplicationController). Pure. */
import { at, listAt, textAt, textsAt } from "./json.ts";

/** What labels have to be like; an empty one is fulfilled by all (meta/v1). */
export interface LabelSelector {
  readonly matchLabels: Readonly<Record<string, string>>;
  readonly matchExpressions: readonly LabelRequirement[];
}

/** One condition beyond equality. */
export interface LabelRequirement {
  readonly key: string;
  /** "In", "NotIn", "Exists", "DoesNotExist"; whatever else it says is never fulfilled. */
  readonly operator: string;
  readonly values: readonly string[];
}

/** Reads a selector: a LabelSelector, or a map of labels. Undefined when there is none. */
export function parseLabelSelector(value: unknown): LabelSelector | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const isMap = at(value, "matchLabels") === undefined && at(value, "matchExpressions") === undefined;
  if (isMap) return { matchLabels: textsAt(value), matchExpressions: [] };
  return {
    matchLabels: textsAt(value, "matchLabels"),
    matchExpressions: listAt(value, "matchExpressions").map((requirement) => ({
      key: textAt(requirement, "key") ?? "",
      operator: textAt(requirement, "operator") ?? "",
      values: listAt(requirement, "values").filter((found) => typeof found === "string"),
    })),
  };
}

/** Says whether the labels are what the selector wants. */
export function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  return hasLabels(labels, selector.matchLabels) && selector.matchExpressions.every((one) => isFulfilled(one, labels));
}

/** Says whether all the wanted labels are there. */
export function hasLabels(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}

/** An object's labels; none when it has no metadata. */
export function labelsOf(object: unknown): Readonly<Record<string, string>> {
  return textsAt(object, "metadata", "labels");
}

/** `app=cart,tier=web`, as the API's query takes it. */
export function selectorText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

function isFulfilled({ key, operator, values }: LabelRequirement, labels: Readonly<Record<string, string>>): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      return false;
  }
}
