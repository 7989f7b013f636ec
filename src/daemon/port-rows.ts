/** The words for how one port of a tunnel stands, from the tunnel's facts. Pure; decisions 6 of the design. */
import type { LocalizerError } from "../errors.ts";
import type { ServiceStatus } from "../model/service-status.ts";
import type { PortRow } from "../server/daemon-state.ts";
import type { TunnelPortStatus } from "../tunnel/tunnel-components.ts";

/** What is known of port-forwarding in the port's namespace. */
export interface ForwardingFacts {
  /** Known to work for this cluster. */
  readonly works: boolean;
  /** The API server's refusal, if that is what the last attempt met. */
  readonly denied: LocalizerError | undefined;
}

/** One port's row. */
export function portRow(port: TunnelPortStatus, facts: ForwardingFacts): PortRow {
  const { at } = port;
  const { status, reason } = portWord(port, facts);
  return {
    port: port.port,
    status,
    reason: [reason, shiftOf(port)].filter((text) => text !== undefined).join("; "),
    listen: at === undefined ? "" : `${at.address}:${at.port}`,
    readyPods: port.ready,
    connections: port.connections,
    lastError: port.lastError?.message ?? "",
  };
}

/** The word for a port that could not be bound. */
export function bindStatus({ code }: LocalizerError): "denied" | "conflict" {
  return code === "denied" ? "denied" : "conflict";
}

/** Without root a low port is shifted: where to. */
export function shiftOf({ port, at }: TunnelPortStatus): string | undefined {
  return at === undefined || at.port === port ? undefined : `port ${port} listens on ${at.port}`;
}

/** The port's status and, unless it is well, why. */
export function portWord(
  port: TunnelPortStatus,
  facts: ForwardingFacts,
): { readonly status: ServiceStatus; readonly reason: string | undefined } {
  if (port.bindError !== undefined) return { status: bindStatus(port.bindError), reason: port.bindError.message };
  if (facts.denied !== undefined) return { status: "denied", reason: facts.denied.message };
  switch (port.state) {
    case "refusing":
      return { status: "refusing", reason: "no pod has been ready for 5 s, so connections are refused" };
    case "failed":
      return { status: "conflict", reason: "it could not be opened" };
    case "waiting":
    case "listening":
      if (port.ready === 0) return { status: "waiting", reason: "no pod is ready" };
      if (port.state === "waiting") return { status: "waiting", reason: "it is being opened" };
      return { status: facts.works ? "running" : "listening", reason: undefined };
    default:
      return port.state satisfies never;
  }
}
