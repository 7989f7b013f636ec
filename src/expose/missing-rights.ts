/** The rights that an exposure needs from its begin to its end, asked for before it begins. */
import { LocalizerError } from "../errors.ts";
import { type AccessAnswer, type Right, resourceName, reviewAccess } from "../kube/access-review.ts";
import type { ApiClient } from "../kube/api-client.ts";
import type { ScalableOwner } from "../kube/scalable-owner.ts";
import { namespaceOf, type ServiceKey } from "../model/service-key.ts";
import { shortList } from "./quoted-list.ts";

/** What is to be done, and what was refused already. */
export interface RightsWish {
  readonly key: ServiceKey;
  readonly owners: readonly Pick<ScalableOwner, "group" | "plural" | "scaleBy">[];
  readonly denied: readonly Right[];
  /** As `reviewBasics` gave it. */
  readonly basics: AccessAnswer;
}

type Needed = readonly (readonly [group: string, resource: string, verbs: readonly string[]])[];

const always: Needed = [
  ["", "services", ["get"]],
  ["discovery.k8s.io", "endpointslices", ["list", "watch"]],
  ["", "pods", ["create", "get", "list", "watch", "patch", "delete"]],
  ["", "secrets", ["create", "get", "delete"]],
  ["coordination.k8s.io", "leases", ["create", "get", "patch", "delete"]],
];

/** Of those the ones without which it cannot be found out who stands behind the Service. */
const sight: ReadonlySet<string> = new Set(["get services", "list endpointslices.discovery.k8s.io", "list pods"]);

/**
 * Asks for the rights that every exposure needs, before anything is read.
 * @throws LocalizerError `denied`, naming each that is missing, when without them it cannot be found out what else is needed
 */
export async function reviewBasics(
  client: Pick<ApiClient, "request">,
  key: ServiceKey,
  signal?: AbortSignal,
): Promise<AccessAnswer> {
  const namespace = namespaceOf(key);
  const basics = await reviewAccess(client, [...rightsTo(always, namespace), ...forwarding(namespace)], signal);
  if (basics.denied.some((right) => sight.has(nameRight(right)))) throw lacking(key, basics.denied);
  return basics;
}

/**
 * Asks for those to the owners, too. Gives warnings, for rights of which nobody could say whether they are there.
 * @throws LocalizerError `denied`, naming each right that is missing
 */
export async function checkRights(
  client: Pick<ApiClient, "request">,
  { key, owners, denied, basics }: RightsWish,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const answer = await reviewAccess(client, ownerRights(namespaceOf(key), owners), signal);
  const missing = [...denied, ...basics.denied, ...answer.denied];
  if (isLacking(missing)) throw lacking(key, missing);
  const unknown = [...basics.unknown, ...answer.unknown];
  const [first] = unknown;
  if (first === undefined) return [];
  const what = shortList(describe(unknown.map(({ right }) => right)));
  return [`Cannot tell whether you may do all that is needed with ${what}: ${first.reason.message}`];
}

/** One of the two verbs of the port-forward will do (verified.md 1.2). */
function isLacking(denied: readonly Right[]): boolean {
  return denied.some((right) => !isForward(right)) || denied.filter(isForward).length === 2;
}

function lacking(key: ServiceKey, denied: readonly Right[]): LocalizerError {
  const namespace = namespaceOf(key);
  const [forward] = denied.filter(isForward).length === 2 ? denied.filter(isForward) : [];
  const named = [
    ...describe(denied.filter((right) => !isForward(right))),
    ...(forward === undefined ? [] : [`${resourceName(forward)} (create or get)`]),
  ];
  const reason = `in namespace "${namespace}" you lack rights to ${named.join(", ")}`;
  return new LocalizerError("denied", `Cannot expose "${key}": ${reason}`);
}

function isForward({ subresource }: Right): boolean {
  return subresource === "portforward";
}

function nameRight(right: Right): string {
  return `${right.verb} ${resourceName(right)}`;
}

function rightsTo(needed: Needed, namespace: string): readonly Right[] {
  return needed.flatMap(([group, resource, verbs]) => verbs.map((verb) => ({ verb, group, resource, namespace })));
}

function ownerRights(namespace: string, owners: RightsWish["owners"]): readonly Right[] {
  const rights = new Map<string, Right>();
  const add = (right: Right) => rights.set(nameRight(right), right);
  for (const { group, plural: resource, scaleBy } of owners) {
    // The record goes onto the object even where the number does not.
    for (const verb of ["get", "patch"]) add({ verb, group, resource, namespace });
    if (scaleBy === "scale") {
      for (const verb of ["get", "update"]) add({ verb, group, resource, subresource: "scale", namespace });
    }
  }
  return [...rights.values()];
}

function forwarding(namespace: string): readonly Right[] {
  return ["create", "get"].map((verb) => ({
    verb,
    group: "",
    resource: "pods",
    subresource: "portforward",
    namespace,
  }));
}

/** `pods (create, delete)` for each resource. */
function describe(rights: readonly Right[]): readonly string[] {
  const verbs = new Map<string, Set<string>>();
  for (const right of rights) {
    const name = resourceName(right);
    verbs.set(name, (verbs.get(name) ?? new Set()).add(right.verb));
  }
  return [...verbs].map(([name, missing]) => `${name} (${[...missing].join(", ")})`);
}
