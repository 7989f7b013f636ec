/**
 * What of a headless Service is listened on, and which of its pods have names of their own. In the cluster its name leads
 * to the pods themselves, so callers use the pods' ports: here the target ports, and the Service's own beside them.
 * Pure; decisions 4 of the design.
 */
import { isDeepStrictEqual } from "node:util";
import type { EndpointSlice, SliceEndpoint } from "../kube/endpoint-slice.ts";
import { readyEndpoints } from "../kube/ready-endpoints.ts";
import type { Service, ServicePort } from "../kube/service.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { isDnsLabel } from "../model/host-name.ts";
import type { Port } from "../model/port.ts";

/** A port that is listened on, and the pods behind it. */
export interface ListenPort {
  readonly port: Port;
  readonly endpoints: readonly Endpoint[];
}

/** The numbers that a Service's named target ports have had, for as long as its ports stay what they are. */
export interface SeenPorts {
  readonly uid: string;
  readonly ports: readonly ServicePort[];
  /** By the Service port's name. */
  readonly numbers: ReadonlyMap<string, readonly Port[]>;
}

/** The slices of one pod name: its endpoints alone. */
export interface PodSlices {
  readonly hostname: string;
  readonly slices: readonly EndpointSlice[];
}

/**
 * The numbers behind named target ports now: those of all pods that are listed, ready or not. While no pod is listed the
 * ones before stay, so that a listener does not go with the last pod.
 */
export function seenPorts(service: Service, slices: readonly EndpointSlice[], before?: SeenPorts): SeenPorts {
  const isSame = before?.uid === service.uid && isDeepStrictEqual(before.ports, service.ports);
  const numbers = new Map<string, readonly Port[]>();
  for (const port of tcpPorts(service)) {
    if (typeof port.targetPort === "number") continue;
    const now = numbersIn(slices, port);
    numbers.set(port.name, now.length > 0 || !isSame ? now : (before.numbers.get(port.name) ?? []));
  }
  return { uid: service.uid, ports: service.ports, numbers };
}

/**
 * The Service's ports and the target ports behind them, each once. A number that is both means the Service's port; a
 * target port leads to those pods alone that have it under that number.
 */
export function headlessPorts(
  service: Service,
  slices: readonly EndpointSlice[],
  seen: SeenPorts,
): readonly ListenPort[] {
  const behind = tcpPorts(service).map((port) => ({ port, endpoints: readyEndpoints(port, slices, service) }));
  const own = new Map(behind.map(({ port, endpoints }) => [port.port, endpoints]));
  const targets = new Map<Port, Map<string, Endpoint>>();
  for (const { port, endpoints } of behind) {
    const { targetPort } = port;
    for (const number of typeof targetPort === "number" ? [targetPort] : (seen.numbers.get(port.name) ?? [])) {
      if (own.has(number)) continue;
      const pods = targets.get(number) ?? new Map<string, Endpoint>();
      for (const endpoint of endpoints) {
        if (endpoint.port === number && !pods.has(endpoint.pod.uid)) pods.set(endpoint.pod.uid, endpoint);
      }
      targets.set(number, pods);
    }
  }
  return [
    ...[...own].map(([port, endpoints]) => ({ port, endpoints })),
    ...[...targets].map(([port, pods]) => ({ port, endpoints: [...pods.values()] })),
  ];
}

/** The pods that cluster DNS knows by a name of their own: endpoints with a host name, ready or not. */
export function podsWithNames(slices: readonly EndpointSlice[]): readonly PodSlices[] {
  const groups = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const here = new Map<string, SliceEndpoint[]>();
    for (const endpoint of slice.endpoints) {
      const { hostname } = endpoint;
      if (hostname === undefined || !isDnsLabel(hostname) || endpoint.pod === undefined) continue;
      const same = here.get(hostname);
      if (same === undefined) here.set(hostname, [endpoint]);
      else same.push(endpoint);
    }
    for (const [hostname, endpoints] of here) {
      const group = groups.get(hostname) ?? [];
      groups.set(hostname, group);
      group.push({ ...slice, endpoints });
    }
  }
  return [...groups].map(([hostname, own]) => ({ hostname, slices: own }));
}

function tcpPorts(service: Service): readonly ServicePort[] {
  return service.ports.filter(({ protocol }) => protocol === "TCP");
}

function numbersIn(slices: readonly EndpointSlice[], { name, protocol }: ServicePort): readonly Port[] {
  const numbers = new Set<Port>();
  for (const slice of slices) {
    if (!slice.endpoints.some(({ pod }) => pod !== undefined)) continue;
    const port = slice.ports.find((candidate) => candidate.name === name && candidate.protocol === protocol);
    if (port !== undefined) numbers.add(port.port);
  }
  return [...numbers];
}
