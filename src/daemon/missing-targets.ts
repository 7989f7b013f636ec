/** Target ports that a Service names and no pod of it has: the one mistake that looks like pods that are not ready. Pure. */
import type { EndpointSlice } from "../kube/endpoint-slice.ts";
import { readyEndpoints } from "../kube/ready-endpoints.ts";
import type { Service } from "../kube/service.ts";

/**
 * By the Service's port the name of its target port, where pods are ready and none of them has a port of that name: such
 * pods stand in slices without the port (`k8s.io/endpointslice` groups them by the ports that they have).
 */
export function missingTargets(
  service: Pick<Service, "ports" | "publishNotReadyAddresses">,
  slices: readonly EndpointSlice[],
): ReadonlyMap<number, string> {
  const missing = new Map<number, string>();
  const isReady = slices.some(({ endpoints }) =>
    endpoints.some(({ pod, ready }) => pod !== undefined && (ready || service.publishNotReadyAddresses)),
  );
  if (!isReady) return missing;
  for (const port of service.ports) {
    if (port.protocol !== "TCP" || typeof port.targetPort !== "string") continue;
    if (readyEndpoints(port, slices, service).length === 0) missing.set(port.port, port.targetPort);
  }
  return missing;
}
