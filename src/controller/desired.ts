/** What a service should have: a tunnel with these ports, tunnels to these pods of it, or none, and why. Pure. */
import type { EndpointSlice } from "../kube/endpoint-slice.ts";
import { readyEndpoints } from "../kube/ready-endpoints.ts";
import type { Service } from "../kube/service.ts";
import type { Port } from "../model/port.ts";
import type { TunnelPortSpec } from "../tunnel/tunnel-components.ts";
import { headlessPorts, type ListenPort, podsWithNames, type SeenPorts, seenPorts } from "./headless.ts";

/** Which services and ports are left out, and what is said of it. */
export interface ServiceFilter {
  /** Namespaces whose services are not even listed. */
  readonly skipNamespaces: ReadonlySet<string>;
  /** Ports that are never listened on. */
  readonly skipPorts: ReadonlySet<Port>;
}

/** A pod with a name of its own, and what its address should listen on. */
export interface DesiredPod {
  readonly hostname: string;
  readonly ports: readonly TunnelPortSpec[];
}

/** A service's wished-for tunnel. */
export interface DesiredTunnel {
  readonly kind: "tunnel";
  readonly ports: readonly TunnelPortSpec[];
  /** Only of a headless Service. */
  readonly pods: readonly DesiredPod[];
  readonly notice: string | undefined;
  /** To be handed in the next time. */
  readonly seen: SeenPorts | undefined;
}

/** A service's wished-for state. */
export type Desired =
  | { readonly kind: "absent" }
  | { readonly kind: "skipped"; readonly reason: string }
  | DesiredTunnel;

/** The wished-for state of a service that exists, or (undefined) does not. `seen` is what the last call gave. */
export function desiredTunnel(
  service: Service | undefined,
  slices: readonly EndpointSlice[],
  filter: ServiceFilter,
  seen?: SeenPorts,
): Desired {
  if (service === undefined || filter.skipNamespaces.has(service.namespace)) return { kind: "absent" };
  if (service.namespace === "default" && service.name === "kubernetes") return { kind: "absent" };
  if (service.type === "ExternalName") return { kind: "skipped", reason: `it stands for ${service.externalName}` };
  if (service.selector === undefined) return { kind: "skipped", reason: "it has no selector, so no pods" };
  const others = service.ports.filter(({ protocol }) => protocol !== "TCP");
  if (others.length === service.ports.length) {
    const protocols = [...new Set(others.map(({ protocol }) => protocol))].join(" and ");
    return { kind: "skipped", reason: protocols === "" ? "it has no ports" : `it has only ${protocols} ports` };
  }
  const now = service.headless ? seenPorts(service, slices, seen) : undefined;
  const wanted = now === undefined ? servicePorts(service, slices) : headlessPorts(service, slices, now);
  const left = wanted.filter(({ port }) => filter.skipPorts.has(port)).map(({ port }) => port);
  const ports = specsOf(wanted, service, filter);
  const leftOut = left.length === 0 ? undefined : `left out by --skip-port: ${left.join(", ")}`;
  if (ports.length === 0) return { kind: "skipped", reason: `all its TCP ports are ${leftOut}` };
  const notForwarded = others.length === 0 ? undefined : `not forwarded: ${others.map(portName).join(", ")}`;
  const notices = [notForwarded, leftOut].filter((text) => text !== undefined);
  return {
    kind: "tunnel",
    ports,
    pods: now === undefined ? [] : desiredPods(service, slices, filter),
    notice: notices.length === 0 ? undefined : notices.join("; "),
    seen: now,
  };
}

function servicePorts(service: Service, slices: readonly EndpointSlice[]): readonly ListenPort[] {
  const tcp = service.ports.filter(({ protocol }) => protocol === "TCP");
  return tcp.map((port) => ({ port: port.port, endpoints: readyEndpoints(port, slices, service) }));
}

function desiredPods(service: Service, slices: readonly EndpointSlice[], filter: ServiceFilter): readonly DesiredPod[] {
  return podsWithNames(slices).map(({ hostname, slices: own }) => {
    const ports = headlessPorts(service, own, seenPorts(service, own));
    return { hostname, ports: specsOf(ports, service, filter) };
  });
}

function specsOf(
  ports: readonly ListenPort[],
  { sessionAffinityMs }: Service,
  { skipPorts }: ServiceFilter,
): readonly TunnelPortSpec[] {
  const affinity = sessionAffinityMs === undefined ? {} : { affinityMs: sessionAffinityMs };
  return ports.filter(({ port }) => !skipPorts.has(port)).map((port) => ({ ...port, ...affinity }));
}

function portName({ port, protocol }: { port: number; protocol: string }): string {
  return `${port}/${protocol}`;
}
