/** The one line that ends a start: how many services answer, where, and how long it took. */
import type { Clock } from "../clock.ts";
import type { ServiceState } from "../controller/controller.ts";
import type { Cluster } from "../kube/kubeconfig.ts";

/** Takes the time from its making. */
export class StartReport {
  readonly #clock: Clock;
  readonly #startedMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedMs = clock.monotonic();
  }

  /** `12 services of "dev" answer under their names (15 ports, 1 skipped), after 0.8 s` */
  summary(states: readonly ServiceState[], cluster: Cluster, privileged: boolean): string {
    const tunnels = states.filter((state) => state.kind === "tunnel");
    const listening = tunnels.flatMap(({ ports }) => ports.filter(({ bindError }) => bindError === undefined));
    const notes = [`${listening.length} ports`];
    const closed = tunnels.flatMap(({ ports }) => ports).length - listening.length;
    if (closed > 0) notes.push(`${closed} could not be opened`);
    if (states.length > tunnels.length) notes.push(`${states.length - tunnels.length} without a tunnel`);
    const seconds = ((this.#clock.monotonic() - this.#startedMs) / 1000).toFixed(1);
    const how = privileged ? "answer under their names" : "answer under their addresses (no hosts file without root)";
    return `${tunnels.length} services of "${cluster.contextName}" ${how} (${notes.join(", ")}), after ${seconds} s`;
  }
}
