/** The words for how services stand: controller's facts to the rows of `list`. Pure; decisions 6 of the design. */
import type { PodTunnelState, ServiceState } from "../controller/service-table.ts";
import type { LocalizerError } from "../errors.ts";
import type { EndpointSlice } from "../kube/endpoint-slice.ts";
import type { Service } from "../kube/service.ts";
import type { HostsEntry } from "../model/hosts-table.ts";
import { nameOf, namespaceOf } from "../model/service-key.ts";
import type { ServiceStatus } from "../model/service-status.ts";
import type { PodRow, ServiceRow } from "../server/daemon-state.ts";
import { missingTargets } from "./missing-targets.ts";
import { bindReasons, bindStatus, type PortFacts, portRow, portWord, shiftOf } from "./port-rows.ts";

/** What is known of port-forwarding, as `PortForwardHealth` tells it. */
export interface Forwarding {
  worksIn(namespace: string): boolean;
  deniedIn(namespace: string): LocalizerError | undefined;
}

/** What the cluster and the hosts file say of the service; what is not known is left out. */
export interface RowFacts {
  readonly service?: Pick<Service, "ports" | "publishNotReadyAddresses"> | undefined;
  readonly slices?: readonly EndpointSlice[];
  /** What stands in the hosts file; undefined while that is not certain. Left out when it is up to date. */
  readonly written?: { readonly entries: readonly HostsEntry[] | undefined };
}

type TunnelState = Extract<ServiceState, { kind: "tunnel" }>;

/** One service's row. */
export function serviceRow(state: ServiceState, health: Forwarding, facts: RowFacts = {}): ServiceRow {
  const row = {
    namespace: namespaceOf(state.key),
    name: nameOf(state.key),
    ...{ endpoint: "", ip: "", names: [], skippedNames: [], portRows: [], pods: [], namesPending: false },
    ports: (facts.service?.ports ?? []).map(({ port, protocol }) => `${port}/${protocol}`),
  };
  switch (state.kind) {
    case "skipped":
      return { ...row, status: "skipped", statusReason: state.reason };
    case "failed":
      return { ...row, status: failedStatus(state.error), statusReason: state.error.message };
    case "tunnel":
      return { ...row, ...tunnelRow(state, health, facts) };
    default:
      return state satisfies never;
  }
}

function tunnelRow(
  state: TunnelState,
  health: Forwarding,
  { service, slices = [], written }: RowFacts,
): Omit<ServiceRow, "namespace" | "name"> {
  const namespace = namespaceOf(state.key);
  const isWaiting = service !== undefined && state.ports.some(({ ready }) => ready === 0);
  const facts: PortFacts = {
    works: health.worksIn(namespace),
    denied: health.deniedIn(namespace),
    missing: isWaiting ? missingTargets(service, slices) : undefined,
  };
  const { status, reasons } = tunnelStatus(state, facts);
  const skippedNames = state.names.skipped.map(({ name, reason }) => ({ name, reason }));
  const skipped = skippedNames.map(({ name, reason }) => `no name ${name}: ${reason}`);
  return {
    status,
    statusReason: sentences([...reasons, state.notice, ...skipped]),
    endpoint: state.ports.find(({ endpoint }) => endpoint !== undefined)?.endpoint?.pod.name ?? "",
    ip: state.address,
    ports: state.ports.map(({ port }) => `${port}/TCP`),
    names: state.names.names,
    skippedNames,
    portRows: state.ports.map((port) => portRow(port, facts)),
    pods: state.pods.map((pod) => podRow(pod, facts)),
    namesPending: written !== undefined && !areWritten([state, ...state.pods], written.entries ?? []),
  };
}

function areWritten(
  owners: readonly Pick<TunnelState, "address" | "names">[],
  entries: readonly HostsEntry[],
): boolean {
  return owners.every(({ address, names: { names } }) => {
    const entry = entries.find((one) => one.address === address);
    return names.every((name) => entry?.names.includes(name));
  });
}

function podRow({ hostname, address, ports, names }: PodTunnelState, facts: PortFacts): PodRow {
  return { hostname, ip: address, names: names.names, ports: ports.map((port) => portRow(port, facts)) };
}

/** What is worst first: a port that is not there, a right that is missing, no pod anywhere; then what is only worth a word. */
function tunnelStatus(
  { address, ports, pods }: TunnelState,
  facts: PortFacts,
): { status: ServiceStatus; reasons: readonly (string | undefined)[] } {
  const ofPods = pods.flatMap((pod) => pod.ports.map((port) => ({ port, before: `${pod.hostname}: ` })));
  const all = [...ports.map((port) => ({ port, before: "" })), ...ofPods];
  const unbound = unboundOf(ports);
  const unboundPods = pods.map((pod) => ({ ...pod, unbound: unboundOf(pod.ports) }));
  const allUnbound = [...unbound, ...unboundPods.flatMap((pod) => pod.unbound)];
  if (allUnbound.length > 0) {
    const areDenied = allUnbound.every(({ bindError }) => bindStatus(bindError) === "denied");
    const ofEachPod = unboundPods.flatMap((pod) =>
      bindReasons(pod.address, pod.unbound).map((reason) => `${pod.hostname} ${reason}`),
    );
    const way = areDenied ? undefined : "--skip-port leaves a port out";
    const reasons = [...bindReasons(address, unbound), ...ofEachPod, way];
    return { status: areDenied ? "denied" : "conflict", reasons };
  }
  if (facts.denied !== undefined) return { status: "denied", reasons: [facts.denied.message] };

  const words = ports.map((port) => ({ port: port.port, ...portWord(port, facts) }));
  const shifts = ports.map(shiftOf);
  const serving = words.find(({ status }) => status === "running" || status === "listening");
  if (serving === undefined) {
    // One that still waits may be answered; only when all refuse does the service.
    const silent = words.find(({ status }) => status === "waiting") ?? words[0];
    return { status: silent?.status ?? "waiting", reasons: [silent?.reason, ...shifts] };
  }
  const silent = words.flatMap(({ port, reason }) => (reason === undefined ? [] : [`port ${port}: ${reason}`]));
  const failures = all.flatMap(({ port: { lastError }, before }) =>
    lastError === undefined ? [] : [`last failure: ${before}${lastError.message}`],
  );
  return { status: serving.status, reasons: [...silent, ...shifts, ...failures] };
}

function unboundOf(ports: TunnelState["ports"]) {
  return ports.flatMap(({ port, bindError }) => (bindError === undefined ? [] : [{ port, bindError }]));
}

/** A right that is missing is the user's to get; anything else keeps the service from its address. */
function failedStatus({ code }: LocalizerError): ServiceStatus {
  return code === "denied" || code === "unauthenticated" ? "denied" : "conflict";
}

/** Several ports may have one and the same to say. */
function sentences(texts: readonly (string | undefined)[]): string {
  return [...new Set(texts.filter((text) => text !== undefined))].join("; ");
}
