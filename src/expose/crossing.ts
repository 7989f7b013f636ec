/** Whether two exposures would get each other's connections. Pure. */
import { hasLabels } from "../kube/label-selector.ts";
import { namespaceOf } from "../model/service-key.ts";
import type { ExposePlan } from "./plan.ts";

type Plan = Pick<ExposePlan, "key" | "selector" | "ports">;

/**
 * Says why they cannot live side by side: a Service leads to every pod that has its labels, so also to the pod of the other
 * exposure, which must then lead to the same local ports. Undefined when they can.
 */
export function crossing(wanted: Plan, there: Plan): string | undefined {
  if (namespaceOf(wanted.key) !== namespaceOf(there.key)) return undefined;
  for (const [service, pod] of [
    [wanted, there],
    [there, wanted],
  ] as const) {
    // Our pods have the labels of their Service's selector, and no others that anybody selects by.
    if (!hasLabels(pod.selector, service.selector)) continue;
    const lost = service.ports.filter(({ remote, local }) =>
      pod.ports.every((port) => port.remote !== remote || port.local !== local),
    );
    if (lost.length === 0) continue;
    const ports = lost.map(({ servicePort }) => servicePort).join(", ");
    return `Service "${service.key}" would send connections to port ${ports} also to the pod of "${pod.key}", which leads elsewhere; stop exposing "${there.key}" first`;
  }
  return undefined;
}
