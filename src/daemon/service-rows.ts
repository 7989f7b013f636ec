/** The words for how services stand: controller's facts to the rows of `list`. Pure; decisions 6 of the design. */
import type { PodTunnelState, ServiceState } from "../controller/controller.ts";
import type { LocalizerError } from "../errors.ts";
import { nameOf, namespaceOf } from "../model/service-key.ts";
import type { ServiceStatus } from "../model/service-status.ts";
import type { PodRow, ServiceRow } from "../server/daemon-state.ts";
import { bindStatus, type ForwardingFacts, portRow, portWord, shiftOf } from "./port-rows.ts";

/** What is known of port-forwarding, as `PortForwardHealth` tells it. */
export interface Forwarding {
  readonly works: boolean;
  deniedIn(namespace: string): LocalizerError | undefined;
}

type TunnelState = Extract<ServiceState, { kind: "tunnel" }>;

/** One service's row. */
export function serviceRow(state: ServiceState, health: Forwarding, hostsError?: LocalizerError): ServiceRow {
  const row = {
    namespace: namespaceOf(state.key),
    name: nameOf(state.key),
    ...{ endpoint: "", ip: "", ports: [], names: [], skippedNames: [], portRows: [], pods: [] },
  };
  switch (state.kind) {
    case "skipped":
      return { ...row, status: "skipped", statusReason: state.reason };
    case "failed":
      return { ...row, status: failedStatus(state.error), statusReason: state.error.message };
    case "tunnel":
      return { ...row, ...tunnelRow(state, health, hostsError) };
    default:
      return state satisfies never;
  }
}

function tunnelRow(
  state: TunnelState,
  health: Forwarding,
  hostsError: LocalizerError | undefined,
): Omit<ServiceRow, "namespace" | "name"> {
  const facts = { works: health.works, denied: health.deniedIn(namespaceOf(state.key)) };
  const { status, reasons } = tunnelStatus(state, facts);
  const hosts = hostsError === undefined ? undefined : `hosts file: ${hostsError.message}`;
  const skippedNames = state.names.skipped.map(({ name, reason }) => ({ name, reason }));
  const skipped = skippedNames.map(({ name, reason }) => `no name ${name}: ${reason}`);
  return {
    status,
    statusReason: sentences([...reasons, hosts, state.notice, ...skipped]),
    endpoint: state.ports.find(({ endpoint }) => endpoint !== undefined)?.endpoint?.pod.name ?? "",
    ip: state.address,
    ports: state.ports.map(({ port }) => `${port}/TCP`),
    names: state.names.names,
    skippedNames,
    portRows: state.ports.map((port) => portRow(port, facts)),
    pods: state.pods.map((pod) => podRow(pod, facts)),
  };
}

function podRow({ hostname, address, ports, names }: PodTunnelState, facts: ForwardingFacts): PodRow {
  return { hostname, ip: address, names: names.names, ports: ports.map((port) => portRow(port, facts)) };
}

/** What is worst first: a port that is not there, a right that is missing, no pod anywhere; then what is only worth a word. */
function tunnelStatus(
  { ports, pods }: TunnelState,
  facts: ForwardingFacts,
): { status: ServiceStatus; reasons: readonly (string | undefined)[] } {
  const ofPods = pods.flatMap((pod) => pod.ports.map((port) => ({ port, before: `${pod.hostname}: ` })));
  const all = [...ports.map((port) => ({ port, before: "" })), ...ofPods];
  const unbound = all.flatMap(({ port: { bindError }, before }) => (bindError ? [{ bindError, before }] : []));
  if (unbound.length > 0) {
    const areDenied = unbound.every(({ bindError }) => bindStatus(bindError) === "denied");
    const reasons = unbound.map(({ bindError, before }) => `${before}${bindError.message}`);
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

/** A right that is missing is the user's to get; anything else keeps the service from its address. */
function failedStatus({ code }: LocalizerError): ServiceStatus {
  return code === "denied" || code === "unauthenticated" ? "denied" : "conflict";
}

/** Several ports may have one and the same to say. */
function sentences(texts: readonly (string | undefined)[]): string {
  return [...new Set(texts.filter((text) => text !== undefined))].join("; ");
}
