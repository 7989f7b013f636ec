/**
 * The environment of a container as the kubelet would make it, as far as it can be known without being that container (kubernetes
 * pkg/kubelet, makeEnvironmentVariables): envFrom first, then env, the later of one name wins. Pure: what it is made from is handed in.
 */
import { at, flagAt, listAt, textAt, textsAt } from "../kube/json.ts";
import { expandReferences } from "./expand-references.ts";

/** What there is to know of a ConfigMap or Secret. */
export type KeyedSource =
  | { readonly kind: "data"; readonly data: ReadonlyMap<string, string> }
  /** It is not there. */
  | { readonly kind: "absent" }
  /** It may be there, and is not known; the reason is the rest of a sentence: "you may not read it". */
  | { readonly kind: "unknown"; readonly reason: string };

/** A variable whose value is known. */
export interface EnvVariable {
  readonly name: string;
  readonly value: string;
}

/** What is left out. */
export interface OmittedVariable {
  /** Empty: all that a source would have given, whose names are not known either. */
  readonly name: string;
  /** The rest of a sentence: `it comes from Secret "db", …`. */
  readonly reason: string;
}

/** A container's environment. */
export interface ContainerEnv {
  /** Each name once, in the order in which they are given. */
  readonly variables: readonly EnvVariable[];
  readonly omitted: readonly OmittedVariable[];
}

/** What it is made from. */
export interface EnvOrigin {
  readonly container: unknown;
  /** The pod, or its template, that the container stands in. */
  readonly pod: unknown;
  readonly namespace: string;
  readonly configMap: (name: string) => KeyedSource;
  readonly secret: (name: string) => KeyedSource;
}

/** Names of the objects that a container's environment is taken from, each once. */
export function namedSources(container: unknown): {
  readonly configMaps: readonly string[];
  readonly secrets: readonly string[];
} {
  const envFrom = listAt(container, "envFrom");
  const valueFrom = listAt(container, "env").map((entry) => at(entry, "valueFrom"));
  const names = (whole: string, key: string) => [
    ...new Set([
      ...envFrom.flatMap((entry) => textAt(entry, whole, "name") ?? []),
      ...valueFrom.flatMap((entry) => textAt(entry, key, "name") ?? []),
    ]),
  ];
  return { configMaps: names("configMapRef", "configMapKeyRef"), secrets: names("secretRef", "secretKeyRef") };
}

/** Makes it. */
export function containerEnv(origin: EnvOrigin): ContainerEnv {
  const known = new Map<string, { readonly value: string } | { readonly reason: string }>();
  const unnamed: OmittedVariable[] = [];
  for (const entry of listAt(origin.container, "envFrom")) {
    const { name, source, isOptional } = wholeSource(origin, entry);
    if (source.kind === "data") {
      const prefix = textAt(entry, "prefix") ?? "";
      for (const [key, value] of source.data) known.set(`${prefix}${key}`, { value });
    } else if (source.kind === "unknown") {
      unnamed.push({ name: "", reason: `${name}: ${source.reason}` });
    } else if (!isOptional) {
      unnamed.push({ name: "", reason: `${name}: it does not exist` });
    }
  }
  for (const entry of listAt(origin.container, "env")) {
    const name = textAt(entry, "name");
    if (name === undefined) continue;
    const value = variableOf(origin, entry, known);
    if (value === undefined) continue;
    known.set(name, value);
  }
  const variables: EnvVariable[] = [];
  const omitted: OmittedVariable[] = [];
  for (const [name, found] of known) {
    if ("value" in found) variables.push({ name, value: found.value });
    else omitted.push({ name, reason: found.reason });
  }
  return { variables, omitted: [...omitted, ...unnamed] };
}

type Known = ReadonlyMap<string, { readonly value: string } | { readonly reason: string }>;

function wholeSource({ configMap, secret }: EnvOrigin, entry: unknown) {
  const kind = at(entry, "secretRef") === undefined ? "configMapRef" : "secretRef";
  const called = textAt(entry, kind, "name") ?? "";
  const isOptional = flagAt(entry, kind, "optional") === true;
  return kind === "secretRef"
    ? { name: `Secret "${called}"`, source: secret(called), isOptional }
    : { name: `ConfigMap "${called}"`, source: configMap(called), isOptional };
}

/** Undefined when there is no such variable: an optional source that is not there. */
function variableOf(origin: EnvOrigin, entry: unknown, known: Known) {
  const text = textAt(entry, "value");
  if (text !== undefined) return expanded(text, known);
  const from = at(entry, "valueFrom");
  if (from === undefined) return { value: "" };
  const field = textAt(from, "fieldRef", "fieldPath");
  if (field !== undefined) return fieldOf(origin, field);
  for (const [kind, word, source] of [
    ["configMapKeyRef", "ConfigMap", origin.configMap],
    ["secretKeyRef", "Secret", origin.secret],
  ] as const) {
    if (at(from, kind) !== undefined) return keyOf(at(from, kind), word, source);
  }
  const [way = "nothing"] = Object.keys(Object(from));
  return { reason: `it comes from ${way}, which only the container's node can tell` };
}

function expanded(text: string, known: Known) {
  const { value, unknown } = expandReferences(text, (name) => {
    const found = known.get(name);
    if (found !== undefined) return "value" in found ? found : "unknown";
    return isServiceVariable(name) ? "unknown" : undefined;
  });
  if (unknown.length === 0) return { value };
  return { reason: `it refers to ${unknown.map((name) => `$(${name})`).join(" and ")}, which is not known here` };
}

/** Those that the kubelet makes of Services: `CART_SERVICE_HOST`, `CART_PORT_80_TCP_ADDR`, … */
function isServiceVariable(name: string): boolean {
  return /^[A-Z0-9_]+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_[A-Z]+)?)?)$/.test(name);
}

function keyOf(ref: unknown, word: string, sourceOf: (name: string) => KeyedSource) {
  const [name, key] = [textAt(ref, "name") ?? "", textAt(ref, "key") ?? ""];
  const source = sourceOf(name);
  const from = `it comes from key "${key}" of ${word} "${name}"`;
  if (source.kind === "unknown") return { reason: `${from}: ${source.reason}` };
  const value = source.kind === "data" ? source.data.get(key) : undefined;
  if (value !== undefined) return { value };
  if (flagAt(ref, "optional") === true) return undefined;
  return { reason: `${from}, which does not exist` };
}

/** What all pods of a template have in common. */
function fieldOf({ pod, namespace }: EnvOrigin, path: string) {
  if (path === "metadata.namespace") return { value: namespace };
  if (path === "spec.serviceAccountName") return { value: textAt(pod, "spec", "serviceAccountName") ?? "default" };
  const [, kind, key] = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path) ?? [];
  if (kind !== undefined && key !== undefined) return { value: textsAt(pod, "metadata", kind)[key] ?? "" };
  return { reason: `it is ${path} of each pod` };
}
