/** Which pods take a connection to a Service's port now. Pure. */
import type { Endpoint } from "../model/endpoint.ts";
import type { EndpointSlice, SliceEndpoint } from "./endpoint-slice.ts";
import type { ServicePort } from "./service.ts";

/** What of the Service decides beside the port. */
export interface ReadyEndpointsOptions {
  /** The Service's own setting: every pod counts as ready. */
  readonly publishNotReadyAddresses: boolean;
}

/**
 * The pods behind one port of a Service, in the order of the slices, each pod once (by uid) however many slices and
 * address families name it. Ready ones; if there are none, those that still serve while they terminate, as kube-proxy
 * does (KEP-1669). Endpoints that are no pods are left out: there is no port-forward to them.
 */
export function readyEndpoints(
  port: Pick<ServicePort, "name" | "protocol">,
  slices: readonly EndpointSlice[],
  options: ReadyEndpointsOptions,
): readonly Endpoint[] {
  const ready = new Map<string, Endpoint>();
  const leaving = new Map<string, Endpoint>();
  for (const slice of slices) {
    const slicePort = slice.ports.find(({ name, protocol }) => name === port.name && protocol === port.protocol);
    if (slicePort === undefined) continue;
    for (const endpoint of slice.endpoints) {
      if (endpoint.pod === undefined) continue;
      const found = { pod: endpoint.pod, port: slicePort.port };
      if (isReady(endpoint, options)) addOnce(ready, found);
      else if (isLeaving(endpoint)) addOnce(leaving, found);
    }
  }
  return [...(ready.size > 0 ? ready : leaving).values()];
}

function isReady(endpoint: SliceEndpoint, options: ReadyEndpointsOptions): boolean {
  return endpoint.ready || options.publishNotReadyAddresses;
}

function isLeaving(endpoint: SliceEndpoint): boolean {
  return endpoint.serving && endpoint.terminating;
}

function addOnce(group: Map<string, Endpoint>, endpoint: Endpoint): void {
  if (!group.has(endpoint.pod.uid)) group.set(endpoint.pod.uid, endpoint);
}
