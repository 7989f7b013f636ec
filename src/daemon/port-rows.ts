/** The words for how one port of a tunnel stands, from the tunnel's facts. Pure; decisions 6 of the design. */
import type { LocalizerError } from "../errors.ts";
import type { ServiceStatus } from "../model/service-status.ts";
import type { PortRow } from "../server/daemon-state.ts";
import type { TunnelPortStatus } from "../tunnel/tunnel-components.ts";

/** What is known of the port's namespace and Service. */
export interface PortFacts {
  /** Port-forwarding is known to work in the namespace. */
  readonly works: boolean;
  /** The API server's refusal, if that is what the last attempt met. */
  readonly denied: LocalizerError | undefined;
  /** By port the name of a target port that no ready pod has. */
  readonly missing?: ReadonlyMap<number, string> | undefined;
}

/** One port's row. */
export function portRow(port: TunnelPortStatus, facts: PortFacts): PortRow {
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

/**
 * A clause for each reason why ports of one address could not be bound, with the ports that have it in common:
 * `8080, 9090: taken by "node" (process 4711)`.
 */
export function bindReasons(
  address: string,
  unbound: readonly { readonly port: number; readonly bindError: LocalizerError }[],
): readonly string[] {
  const ports = new Map<string, number[]>();
  for (const { port, bindError } of unbound) {
    const action = `Cannot listen on ${address}:${port}: `;
    const { message } = bindError;
    const why = message.startsWith(action) ? message.slice(action.length) : message;
    ports.set(why, [...(ports.get(why) ?? []), port]);
  }
  return [...ports].map(([why, numbers]) => `${numbers.join(", ")}: ${why}`);
}

/** Without root a low port is shifted: where to. */
export function shiftOf({ port, at }: TunnelPortStatus): string | undefined {
  return at === undefined || at.port === port ? undefined : `port ${port} listens on ${at.port}`;
}

/** The port's status and, unless it is well, why. */
export function portWord(
  port: TunnelPortStatus,
  facts: PortFacts,
): { readonly status: ServiceStatus; readonly reason: string | undefined } {
  if (port.bindError !== undefined) return { status: bindStatus(port.bindError), reason: port.bindError.message };
  if (facts.denied !== undefined) return { status: "denied", reason: facts.denied.message };
  const missing = facts.missing?.get(port.port);
  switch (port.state) {
    case "refusing": {
      const why = missing === undefined ? "no pod has been ready for 5 s" : lacks(missing);
      return { status: "refusing", reason: `${why}, so connections are refused` };
    }
    case "failed":
      return { status: "conflict", reason: "it could not be opened" };
    case "waiting":
    case "listening":
      if (port.ready === 0) return { status: "waiting", reason: missing ? lacks(missing) : "no pod is ready" };
      if (port.state === "waiting") return { status: "waiting", reason: "it is being opened" };
      return { status: facts.works ? "running" : "listening", reason: undefined };
    default:
      return port.state satisfies never;
  }
}

function lacks(target: string): string {
  return `no ready pod has the port "${target}"`;
}
