/**
 * What is said of a start: a line a phase through the log, and the one line that ends it: how many services answer, where,
 * and how long it took.
 */
import type { Clock } from "../clock.ts";
import type { ServiceState } from "../controller/controller.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { type Logger, silentLogger } from "../log.ts";

/** Takes the time from its making. */
export class StartReport {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #startedMs: number;

  constructor(clock: Clock, log: Logger = silentLogger()) {
    this.#clock = clock;
    this.#log = log;
    this.#startedMs = clock.monotonic();
  }

  /** The API server has answered. */
  clusterReached({ contextName, clusterName, server }: Pick<Cluster, "contextName" | "clusterName" | "server">): void {
    const fields = { context: contextName, cluster: clusterName, server: server.href };
    this.#log.info("Reached the cluster", { ...fields, after: this.#elapsed() });
  }

  /** The first lists are complete. Empty `namespaces`: all are followed. */
  servicesFound(services: number, namespaces: readonly string[]): void {
    const only = namespaces.length === 0 ? {} : { namespaces: namespaces.join(",") };
    this.#log.info("Found the services", { services, ...only, after: this.#elapsed() });
  }

  /** Every name stands in the hosts file; without root they are told instead, and where was said before. */
  namesWritten(states: readonly ServiceState[], privileged: boolean): void {
    if (!privileged) return;
    const tunnels = tunnelsOf(states);
    const names = tunnels.flatMap(({ names: own, pods }) => [own, ...pods.map((pod) => pod.names)]);
    const count = names.reduce((sum, each) => sum + each.names.length, 0);
    this.#log.info("Wrote the names", { names: count, after: this.#elapsed() });
  }

  /** `12 services of "dev" answer under their names (15 ports, 1 without a tunnel), after 0.8 s` */
  summary(states: readonly ServiceState[], cluster: Pick<Cluster, "contextName">, privileged: boolean): string {
    const tunnels = tunnelsOf(states);
    const pods = tunnels.flatMap((tunnel) => tunnel.pods);
    const ports = [...tunnels, ...pods].flatMap((tunnel) => tunnel.ports);
    const closed = ports.filter(({ bindError }) => bindError !== undefined).length;
    const shifted = ports.filter(({ port, at }) => at !== undefined && at.port !== port).length;
    const silent = tunnels.filter((tunnel) => tunnel.ports.every(({ ready }) => ready === 0)).length;
    const notes = [counted(ports.length - closed, "port")];
    if (pods.length > 0) notes.push(`${counted(pods.length, "pod")} by name`);
    if (shifted > 0) notes.push(`${counted(shifted, "low port")} shifted`);
    if (closed > 0) notes.push(`${closed} could not be opened`);
    if (silent > 0) notes.push(`${silent} without a ready pod`);
    if (states.length > tunnels.length) notes.push(`${states.length - tunnels.length} without a tunnel`);
    const how = privileged ? "under their names" : "under their addresses (no hosts file without root)";
    // Never "1 service": programs wait for this line.
    const what = `${tunnels.length} services of "${cluster.contextName}"`;
    return `${what} answer ${how} (${notes.join(", ")}), after ${this.#elapsed()}`;
  }

  #elapsed(): string {
    return `${((this.#clock.monotonic() - this.#startedMs) / 1000).toFixed(1)} s`;
  }
}

function tunnelsOf(states: readonly ServiceState[]): readonly Extract<ServiceState, { kind: "tunnel" }>[] {
  return states.filter((state) => state.kind === "tunnel");
}

function counted(count: number, noun: string): string {
  return `${count} ${count === 1 ? noun : `${noun}s`}`;
}
