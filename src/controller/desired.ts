/** What a service should have: a tunnel with these ports, or none, and why. Pure. */
import type { EndpointSlice } from "../kube/endpoint-slice.ts";
import { readyEndpoints } from "../kube/ready-endpoints.ts";
import type { Service } from "../kube/service.ts";
import type { TunnelPortSpec } from "../tunnel/tunnel-components.ts";

/** Which services are left out, and what is said of it. */
export interface ServiceFilter {
  /** Namespaces whose services are not even listed. */
  readonly skipNamespaces: ReadonlySet<string>;
}

/** A service's wished-for state. */
export type Desired =
  | { readonly kind: "absent" }
  | { readonly kind: "skipped"; readonly reason: string }
  | { readonly kind: "tunnel"; readonly ports: readonly TunnelPortSpec[]; readonly notice: string | undefined };

/** The wished-for state of a service that exists, or (undefined) does not. */
export function desiredTunnel(
  service: Service | undefined,
  slices: readonly EndpointSlice[],
  filter: ServiceFilter,
): Desired {
  if (service === undefined || filter.skipNamespaces.has(service.namespace)) return { kind: "absent" };
  if (service.namespace === "default" && service.name === "kubernetes") return { kind: "absent" };
  if (service.type === "ExternalName") return { kind: "skipped", reason: `it stands for ${service.externalName}` };
  if (service.selector === undefined) return { kind: "skipped", reason: "it has no selector, so no pods" };
  const tcp = service.ports.filter(({ protocol }) => protocol === "TCP");
  const others = service.ports.filter(({ protocol }) => protocol !== "TCP");
  if (tcp.length === 0) {
    const protocols = [...new Set(others.map(({ protocol }) => protocol))].join(" and ");
    return { kind: "skipped", reason: protocols === "" ? "it has no ports" : `it has only ${protocols} ports` };
  }
  return {
    kind: "tunnel",
    ports: tcp.map((port) => ({ port: port.port, endpoints: readyEndpoints(port, slices, service) })),
    notice: others.length === 0 ? undefined : `not forwarded: ${others.map(portName).join(", ")}`,
  };
}

function portName({ port, protocol }: { port: number; protocol: string }): string {
  return `${port}/${protocol}`;
}
