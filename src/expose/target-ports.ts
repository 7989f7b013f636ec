/** Which ports of the pods the Service leads to, also where it calls them by the names that containers give them. Pure. */
import { at, listAt, textAt } from "../kube/json.ts";
import type { ServicePort } from "../kube/service.ts";
import { isPort, type Port } from "../model/port.ts";
import { serviceKey } from "../model/service-key.ts";
import { type ExposableService, refusal } from "./exposable-service.ts";
import type { PodSource } from "./pod-source.ts";
import type { ServedPort } from "./port-map.ts";
import { shortList } from "./quoted-list.ts";

/** The ports that can be exposed, and what to say about the others. */
export interface TargetPorts {
  /** At least one. */
  readonly ports: readonly ServedPort[];
  readonly warnings: readonly string[];
}

/**
 * Resolves them by every template, not by the first pod: our pod has to have the port under its name, with one number.
 * @throws LocalizerError `conflict` when there is no TCP port, a name means different numbers, or nothing says what any of the names means
 */
export function targetPorts(service: ExposableService, sources: readonly PodSource[]): TargetPorts {
  const key = serviceKey(service.namespace, service.name);
  const tcp = service.ports.filter(({ protocol }) => protocol === "TCP");
  const others = service.ports.filter(({ protocol }) => protocol !== "TCP");
  if (tcp.length === 0) {
    const has = others.length === 0 ? "it has no ports" : `it has no TCP port, only ${shortList(others.map(describe))}`;
    throw refusal(key, others.length === 0 ? has : `${has}, which SSH cannot carry`);
  }
  const warnings = others.map(
    (port) => `Port ${describe(port)} is not exposed, for SSH carries TCP only: nobody answers there`,
  );
  const ports: ServedPort[] = [];
  for (const { name, port, targetPort } of tcp) {
    if (typeof targetPort === "number") {
      ports.push({ servicePort: port, name, remote: targetPort, remoteName: "" });
      continue;
    }
    const [found, other] = numbersOf(targetPort, sources);
    if (found === undefined) {
      warnings.push(
        `Port ${port}/TCP is not exposed, for no container has a port named "${targetPort}", which it leads to`,
      );
    } else if (other !== undefined) {
      const reason = `its port ${port} leads to "${targetPort}", which is ${found.port} in ${found.source} and ${other.port} in ${other.source}`;
      throw refusal(key, reason);
    } else {
      ports.push({ servicePort: port, name, remote: found.port, remoteName: targetPort });
    }
  }
  if (ports.length > 0) return { ports, warnings };
  const targets = shortList(tcp.map(({ port, targetPort }) => `${port} to "${targetPort}"`));
  throw refusal(key, `its ports lead to names (${targets}) that no container of its pods has`);
}

/** Each number that the name stands for, and where first. A source that has no such port has no endpoint for it, either. */
function numbersOf(name: string, sources: readonly PodSource[]) {
  const numbers = new Map<Port, string>();
  for (const { name: source, pod } of sources) {
    const port = containerPort(pod, name);
    if (port !== undefined && !numbers.has(port)) numbers.set(port, source);
  }
  return [...numbers].map(([port, source]) => ({ port, source }));
}

/** The first one, as the EndpointSlice controller takes it (kubernetes FindPort): containers, then sidecars among the init containers. */
function containerPort(pod: unknown, name: string): Port | undefined {
  const sidecars = listAt(pod, "spec", "initContainers").filter(
    (container) => at(container, "restartPolicy") === "Always",
  );
  for (const container of [...listAt(pod, "spec", "containers"), ...sidecars]) {
    for (const port of listAt(container, "ports")) {
      const number = at(port, "containerPort");
      const isTcp = (textAt(port, "protocol") ?? "TCP") === "TCP";
      if (textAt(port, "name") === name && isTcp && isPort(number)) return number;
    }
  }
  return undefined;
}

/** `53/UDP` */
function describe({ port, protocol }: ServicePort): string {
  return `${port}/${protocol}`;
}
