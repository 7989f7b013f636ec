/** Label selectors (Kubernetes "Labels and Selectors", list and watch filtering): text to a test of labels. Pure. */
import { badRequest } from "./status.ts";

/** The labels of an object. */
export type Labels = Readonly<Record<string, string>>;

const key = "[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?";
const value = "([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?";
const forms = {
  exists: new RegExp(`^(?<not>!\\s*)?(?<key>${key})$`),
  equals: new RegExp(`^(?<key>${key})\\s*(?<sign>==?|!=)\\s*(?<value>${value})$`),
  oneOf: new RegExp(`^(?<key>${key})\\s+(?<sign>in|notin)\\s*\\((?<values>[^()]*)\\)$`),
} as const;

/**
 * Reads a selector: `a`, `!a`, `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, joined by commas. Empty takes all.
 * @throws Refusal 400 when it is none
 */
export function parseLabelSelector(text: string): (labels: Labels) => boolean {
  const tests = requirementsOf(text).map(parseRequirement);
  return (labels) => tests.every((test) => test(labels));
}

/** Commas between parentheses do not part. */
function requirementsOf(text: string): readonly string[] {
  if (text.trim() === "") return [];
  return text.split(/,(?![^(]*\))/).map((part) => part.trim());
}

function parseRequirement(text: string): (labels: Labels) => boolean {
  const exists = forms.exists.exec(text)?.groups;
  if (exists?.key !== undefined) {
    const { key: name, not } = exists;
    return (labels) => Object.hasOwn(labels, name) === (not === undefined);
  }
  const equals = forms.equals.exec(text)?.groups;
  if (equals?.key !== undefined) return oneOf(equals.key, [equals.value ?? ""], equals.sign !== "!=");
  const set = forms.oneOf.exec(text)?.groups;
  if (set?.key !== undefined) {
    const values = (set.values ?? "").split(",").map((part) => part.trim());
    return oneOf(set.key, values, set.sign === "in");
  }
  throw badRequest(`unable to parse requirement: found '${text}', expected: a requirement on a label`);
}

/** Without the label, "not one of them" holds. */
function oneOf(name: string, values: readonly string[], wanted: boolean): (labels: Labels) => boolean {
  return (labels) => {
    const found = Object.hasOwn(labels, name) ? labels[name] : undefined;
    return (found !== undefined && values.includes(found)) === wanted;
  };
}
