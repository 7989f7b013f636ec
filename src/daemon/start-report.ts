/**
 * What is said of a start: a line a phase through the log, and the one line that ends it: how many services answer, where,
 * and how long it took.
 */
import type { Clock } from "../clock.ts";
import type { ServiceState } from "../controller/service-table.ts";
import type { LocalizerError } from "../errors.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { type Logger, silentLogger } from "../log.ts";
import type { ServiceStatus } from "../model/service-status.ts";
import { type Forwarding, serviceRow } from "./service-rows.ts";

/** Whether names lead to the addresses. */
export interface NamesPlace {
  /** Why there are none; undefined when they stand in the hosts file. */
  readonly missing: string | undefined;
}

/** Where the names are: nowhere without root, nor when the hosts file could not be written. Pure. */
export function namesPlace(isPrivileged: boolean, hostsError: LocalizerError | undefined): NamesPlace {
  if (!isPrivileged) return { missing: "no hosts file without root" };
  return { missing: hostsError && `no names: ${hostsError.message}` };
}

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

  /** Every name stands in the hosts file. Without root they are told instead, and where was said before; a failed write was said, too. */
  namesWritten(states: readonly ServiceState[], names: NamesPlace): void {
    if (names.missing !== undefined) return;
    const tunnels = tunnelsOf(states);
    const all = tunnels.flatMap(({ names: own, pods }) => [own, ...pods.map((pod) => pod.names)]);
    const count = all.reduce((sum, each) => sum + each.names.length, 0);
    this.#log.info("Wrote the names", { names: count, after: this.#elapsed() });
  }

  /** `12 services of "dev" answer under their names (15 ports, 2 waiting for a pod, 1 skipped), after 0.8 s` */
  summary(
    states: readonly ServiceState[],
    {
      contextName,
      health,
      names,
    }: { readonly contextName: string; readonly health: Forwarding; readonly names: NamesPlace },
  ): string {
    const tunnels = tunnelsOf(states);
    const pods = tunnels.flatMap((tunnel) => tunnel.pods);
    const ports = [...tunnels, ...pods].flatMap((tunnel) => tunnel.ports);
    const closed = ports.filter(({ bindError }) => bindError !== undefined).length;
    const shifted = ports.filter(({ port, at }) => at !== undefined && at.port !== port).length;
    const words = states.map((state) => serviceRow(state, health).status);
    const count = (...wanted: readonly ServiceStatus[]) => words.filter((word) => wanted.includes(word)).length;
    const notes = [counted(ports.length - closed, "port")];
    const note = (number: number, text: string) => number > 0 && notes.push(`${number} ${text}`);
    if (pods.length > 0) notes.push(`${counted(pods.length, "pod")} by name`);
    if (shifted > 0) notes.push(`${counted(shifted, "low port")} shifted`);
    note(closed, "could not be opened");
    note(count("waiting", "refusing"), "waiting for a pod");
    note(count("denied"), "denied");
    note(count("conflict"), "in conflict");
    note(count("skipped"), "skipped");
    const how = names.missing === undefined ? "under their names" : `under their addresses (${names.missing})`;
    // Never "1 service": programs wait for this line.
    const what = `${count("running", "listening")} services of "${contextName}"`;
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
