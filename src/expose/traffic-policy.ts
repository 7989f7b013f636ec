/** Whom a Service leads to pods of their own node alone, and so not to ours, which is on one node. Pure. */
import { textAt } from "../kube/json.ts";

/** A sentence for each of its traffic policies that is `Local` (core/v1 ServiceSpec). */
export function trafficPolicyWarnings(service: unknown): readonly string[] {
  const isLocal = (policy: string) => textAt(service, "spec", policy) === "Local";
  const policy = (name: string) => `the Service leads to pods of the same node alone (${name}: Local)`;
  return [
    // Names below a headless Service lead to its pods, wherever these are.
    ...(isLocal("internalTrafficPolicy") && textAt(service, "spec", "clusterIP") !== "None"
      ? [`Callers on other nodes than localizer's pod find nobody: ${policy("internalTrafficPolicy")}`]
      : []),
    ...(isLocal("externalTrafficPolicy")
      ? [`Callers from outside find somebody at the node of localizer's pod alone: ${policy("externalTrafficPolicy")}`]
      : []),
  ];
}
