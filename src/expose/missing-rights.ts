/** The rights that an exposure needs from its begin to its end, asked for before it begins. */
import { LocalizerError } from "../errors.ts";
import { type Right, resourceName, reviewAccess } from "../kube/access-review.ts";
import type { ApiClient } from "../kube/api-client.ts";
import type { ScalableOwner } from "../kube/scalable-owner.ts";
import { namespaceOf, type ServiceKey } from "../model/service-key.ts";
import { shortList } from "./quoted-list.ts";

/** What is to be done, and what was refused already. */
export interface RightsWish {
  readonly key: ServiceKey;
  readonly owners: readonly Pick<ScalableOwner, "group" | "plural" | "scaleBy">[];
  readonly denied: readonly Right[];
}

const always: readonly (readonly [group: string, resource: string, verbs: readonly string[]])[] = [
  ["", "pods", ["create", "get", "list", "watch", "patch", "delete"]],
  ["", "secrets", ["create", "get", "delete"]],
  ["coordination.k8s.io", "leases", ["create", "get", "update", "patch", "delete"]],
];

/**
 * Gives warnings, for rights of which nobody could say whether they are there.
 * @throws LocalizerError `denied`, naming each right that is missing
 */
export async function checkRights(
  client: Pick<ApiClient, "request">,
  { key, owners, denied }: RightsWish,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const namespace = namespaceOf(key);
  const forward = { group: "", resource: "pods", subresource: "portforward", namespace };
  const answer = await reviewAccess(client, [...neededRights(namespace, owners), ...forwarding(namespace)], signal);
  const isForward = ({ subresource }: Right) => subresource === "portforward";
  // One of the two verbs will do (verified.md 1.2).
  const noForward = answer.denied.filter(isForward).length === 2;
  const missing = [...denied, ...answer.denied.filter((right) => !isForward(right))];
  const named = [...describe(missing), ...(noForward ? [`${resourceName(forward)} (create or get)`] : [])];
  if (named.length > 0) {
    const reason = `in namespace "${namespace}" you lack rights to ${named.join(", ")}`;
    throw new LocalizerError("denied", `Cannot expose "${key}": ${reason}`);
  }
  const [first] = answer.unknown;
  if (first === undefined) return [];
  const unknown = shortList(describe(answer.unknown.map(({ right }) => right)));
  return [`Cannot tell whether you may do all that is needed with ${unknown}: ${first.reason.message}`];
}

/** All but those for the port-forward. Pure. */
export function neededRights(namespace: string, owners: RightsWish["owners"]): readonly Right[] {
  const rights = new Map<string, Right>();
  const add = (right: Right) => rights.set(`${right.verb} ${resourceName(right)}`, right);
  for (const [group, resource, verbs] of always) {
    for (const verb of verbs) add({ verb, group, resource, namespace });
  }
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
