/**
 * Whether the cluster's network lets callers come to our pod as it lets them come to the workload's: our pod has the labels that the
 * Service selects by and not the others, so a NetworkPolicy may tell the two apart. Other kinds of policies (Cilium's, Calico's) are not read.
 */
import { at, listAt, textAt } from "../kube/json.ts";
import { type LabelSelector, parseLabelSelector, selects } from "../kube/label-selector.ts";
import type { Objects } from "../kube/objects.ts";
import { listIfAllowed } from "./list-if-allowed.ts";
import { type StandingPod, servicesByLabel } from "./other-services.ts";
import { quotedList } from "./quoted-list.ts";

type Labels = Readonly<Record<string, string>>;

/** Whose ways are compared. */
export interface ComparedPods {
  readonly namespace: string;
  readonly exposed: StandingPod["exposed"];
  /** What our pod has when it stands behind the Service. */
  readonly ours: Labels;
  /** Of the workload's pods and templates. */
  readonly theirs: readonly Labels[];
  /** Of the namespace. */
  readonly services: readonly unknown[];
}

/** A policy that says who may connect (networking/v1). */
interface IngressPolicy {
  readonly name: string;
  readonly selector: LabelSelector;
}

const networkPolicies = { group: "networking.k8s.io", version: "v1", plural: "networkpolicies" } as const;

/** A sentence for each policy that makes a difference, or that they cannot be seen. Throws as Objects.list, but for rights. */
export async function networkPolicyWarnings(
  objects: Pick<Objects, "list">,
  { namespace, exposed, ours, theirs, services }: ComparedPods,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  if (theirs.length === 0) return [];
  const found = await listIfAllowed(objects, networkPolicies, namespace, signal);
  if (found === undefined) {
    return ["Cannot see whether the network lets callers come to localizer's pod: you may not list networkpolicies"];
  }
  const policies = found.flatMap(parseIngressPolicy);
  const isolating = policies.filter(({ selector }) => selects(selector, ours));
  const others = isolating.map(({ name }) => name);
  return policies.flatMap(({ name, selector }) => {
    const hasOurs = selects(selector, ours);
    if (hasOurs === theirs.some((labels) => selects(selector, labels))) return [];
    if (hasOurs) {
      return [
        `NetworkPolicy "${name}" holds for localizer's pod and not for those of the workload: callers that no policy lets in get no answer`,
      ];
    }
    const differs = `NetworkPolicy "${name}" holds for the workload's pods and not for localizer's`;
    const how = mendOf(selector, ours, (added) =>
      servicesByLabel({ exposed, ours: { ...ours, ...added } }, added, services),
    );
    // A pod that no policy selects takes all; one that some select takes what any of those lets in.
    return others.length === 0
      ? [`${differs}: callers that it keeps off come to the local process${how}`]
      : [`${differs}, as ${quotedList(others)} does: callers that it alone lets in get no answer${how}`];
  });
}

/** None where it says nothing about who may connect. The API fills in `policyTypes`; without them a policy has Ingress. */
function parseIngressPolicy(object: unknown): IngressPolicy[] {
  const types = listAt(object, "spec", "policyTypes");
  const selector = parseLabelSelector(at(object, "spec", "podSelector") ?? {});
  if ((types.length > 0 && !types.includes("Ingress")) || selector === undefined) return [];
  return [{ name: textAt(object, "metadata", "name") ?? "", selector }];
}

/** The flags that would have it select ours, with what else they would do; empty when labels that can be added are not enough. */
function mendOf(
  selector: LabelSelector,
  ours: Labels,
  broughtBy: (added: Labels) => ReturnType<typeof servicesByLabel>,
): string {
  const missing = Object.entries(selector.matchLabels).filter(([key, value]) => ours[key] !== value);
  const added = { ...ours, ...Object.fromEntries(missing) };
  const isPossible = missing.every(([key]) => !Object.hasOwn(ours, key)) && selects(selector, added);
  if (!isPossible || missing.length === 0) return "";
  const flags = missing.map(([key, value]) => `--pod-label ${key}=${value}`).join(" ");
  const { names } = broughtBy(Object.fromEntries(missing));
  const price = names.length === 0 ? "" : `, and brings callers of ${servicesText(names)} to the local process`;
  return `; ${flags} makes it hold for it, too${price}`;
}

function servicesText(names: readonly string[]): string {
  return `${names.length === 1 ? "Service" : "Services"} ${quotedList(names)}`;
}
