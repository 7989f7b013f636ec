/** Selectors as they stand in objects: a map of labels, or meta/v1 LabelSelector. Pure. */
import { at, listAt, textAt, textsAt } from "./json.ts";
import type { Labels } from "./label-selector.ts";
import { isObject } from "./merge-patch.ts";

/** Whether the labels are of the selector. One that says nothing selects nothing here. */
export function matchesSelector(selector: unknown, labels: Labels): boolean {
  const { wanted, expressions } = partsOf(selector);
  if (wanted.length + expressions.length === 0) return false;
  return (
    wanted.every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value) &&
    expressions.every((expression) => matchesExpression(expression, labels))
  );
}

/** As text, as a query has it. */
export function selectorText(selector: unknown): string {
  const { wanted, expressions } = partsOf(selector);
  const equals = wanted.map(([name, value]) => `${name}=${value}`);
  return [...equals, ...expressions.map(expressionText)].sort().join(",");
}

function partsOf(selector: unknown) {
  const isLabelSelector = isObject(at(selector, "matchLabels")) || Array.isArray(at(selector, "matchExpressions"));
  const labels = isLabelSelector ? textsAt(selector, "matchLabels") : textsAt(selector);
  return { wanted: Object.entries(labels ?? {}), expressions: listAt(selector, "matchExpressions") };
}

function matchesExpression(expression: unknown, labels: Labels): boolean {
  const { key, operator, values } = readExpression(expression);
  const found = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "In":
      return found !== undefined && values.includes(found);
    case "NotIn":
      return found === undefined || !values.includes(found);
    case "Exists":
      return found !== undefined;
    case "DoesNotExist":
      return found === undefined;
    default:
      return false;
  }
}

function expressionText(expression: unknown): string {
  const { key, operator, values } = readExpression(expression);
  if (operator === "Exists") return key;
  if (operator === "DoesNotExist") return `!${key}`;
  return `${key} ${operator === "In" ? "in" : "notin"} (${[...values].sort().join(",")})`;
}

function readExpression(expression: unknown) {
  const values = listAt(expression, "values").filter((value) => typeof value === "string");
  return { key: textAt(expression, "key") ?? "", operator: textAt(expression, "operator") ?? "", values };
}
