/** The words for how services stand: controller's facts to the rows of `list`. Pure; decisions 6 of the design. */
import type { ServiceState } from "../controller/controller.ts";
import type { LocalizerError } from "../errors.ts";
import { nameOf, namespaceOf } from "../model/service-key.ts";
import type { ServiceStatus } from "../model/service-status.ts";
import type { ServiceRow } from "../server/daemon-state.ts";
import type { PortForwardHealth } from "./port-forward-health.ts";

const noDetails = { names: [], skippedNames: [], portRows: [], pods: [] } as const;

/** One service's row. */
export function serviceRow(state: ServiceState, health: PortForwardHealth, hostsError?: LocalizerError): ServiceRow {
  const row = {
    namespace: namespaceOf(state.key),
    name: nameOf(state.key),
    endpoint: "",
    ip: "",
    ports: [],
    ...noDetails,
  };
  switch (state.kind) {
    case "skipped":
      return { ...row, status: "skipped", statusReason: state.reason };
    case "failed":
      return { ...row, status: "conflict", statusReason: state.error.message };
    case "tunnel": {
      const { status, reasons } = tunnelStatus(state, health);
      const pod = state.ports.find(({ endpoint }) => endpoint !== undefined)?.endpoint?.pod.name ?? "";
      const notices = [state.notice, ...state.names.skipped.map(({ name, reason }) => `no name ${name}: ${reason}`)];
      const hosts = hostsError === undefined ? [] : [`hosts file: ${hostsError.message}`];
      return {
        ...row,
        status,
        statusReason: [...reasons, ...hosts, ...notices].filter((text) => text !== undefined).join("; "),
        endpoint: pod,
        ip: state.address,
        ports: state.ports.map(({ port }) => `${port}/TCP`),
      };
    }
    default:
      return state satisfies never;
  }
}

function tunnelStatus(
  { key, ports }: Extract<ServiceState, { kind: "tunnel" }>,
  health: PortForwardHealth,
): { status: ServiceStatus; reasons: readonly string[] } {
  const bindErrors = ports.map(({ bindError }) => bindError).filter((error) => error !== undefined);
  if (bindErrors.length > 0) {
    const areDenied = bindErrors.every(({ code }) => code === "denied");
    return { status: areDenied ? "denied" : "conflict", reasons: bindErrors.map(({ message }) => message) };
  }
  const denied = health.deniedIn(namespaceOf(key));
  if (denied !== undefined) return { status: "denied", reasons: [denied.message] };
  if (ports.every(({ ready }) => ready === 0)) return { status: "waiting", reasons: ["no pod is ready"] };
  const failures = new Set(ports.map(({ lastError }) => lastError?.message).filter((text) => text !== undefined));
  const reasons = [...failures].map((text) => `last failure: ${text}`);
  return { status: health.works ? "running" : "listening", reasons };
}
