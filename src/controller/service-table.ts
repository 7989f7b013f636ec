/** The services that Controller knows: those with a tunnel, and those without one and why. */
import type { LocalizerError } from "../errors.ts";
import type { PodRef } from "../model/endpoint.ts";
import { namespaceOf, type ServiceKey } from "../model/service-key.ts";
import type { ServedService, ServedState } from "./served-service.ts";

/** How a service stands, as facts; the words for it are the daemon's. */
export type ServiceState =
  | { readonly kind: "skipped"; readonly key: ServiceKey; readonly reason: string }
  | { readonly kind: "failed"; readonly key: ServiceKey; readonly error: LocalizerError }
  | ({ readonly kind: "tunnel" } & ServedState);

/** How the tunnel to one pod of a headless Service stands. */
export type PodTunnelState = ServedState["pods"][number];

/** Each service stands in it once. */
export class ServiceTable {
  readonly #served = new Map<ServiceKey, ServedService>();
  readonly #unserved = new Map<ServiceKey, ServiceState>();
  /** Every key of the two maps, sorted; made when somebody looks and dropped when a key comes or goes. */
  #keys: readonly ServiceKey[] | undefined;

  /** Those with a tunnel. */
  get served(): ReadonlyMap<ServiceKey, ServedService> {
    return this.#served;
  }

  /** Every service and how it stands, by key. */
  get states(): readonly ServiceState[] {
    this.#keys ??= [...this.#served.keys(), ...this.#unserved.keys()].sort();
    return this.#keys
      .map((key): ServiceState | undefined => {
        const served = this.#served.get(key);
        return served === undefined ? this.#unserved.get(key) : { kind: "tunnel", ...served.state };
      })
      .filter((state) => state !== undefined);
  }

  /** Those that have had connections, in any order. Looks at each service, and makes the state of these alone. */
  get used(): readonly ServedState[] {
    const found: ServedState[] = [];
    for (const served of this.#served.values()) if (served.isUsed) found.push(served.state);
    return found;
  }

  /** By namespace a pod that some service could send a connection to now. */
  readyPods(): ReadonlyMap<string, PodRef> {
    const found = new Map<string, PodRef>();
    for (const [key, served] of this.#served) {
      const namespace = namespaceOf(key);
      if (found.has(namespace)) continue;
      const port = served.ports.find(({ endpoint }) => endpoint !== undefined);
      if (port?.endpoint !== undefined) found.set(namespace, port.endpoint.pod);
    }
    return found;
  }

  /** The service has a tunnel from now on. */
  serve(key: ServiceKey, served: ServedService): void {
    this.unserve(key, undefined);
    this.#served.set(key, served);
    this.#keys = undefined;
  }

  /** It has none any more; what it was. */
  withdraw(key: ServiceKey): ServedService | undefined {
    const served = this.#served.get(key);
    if (this.#served.delete(key)) this.#keys = undefined;
    return served;
  }

  /** How a service without a tunnel stands; undefined when it does not exist or has one. */
  unserve(key: ServiceKey, state: ServiceState | undefined): void {
    if (state === undefined ? this.#unserved.delete(key) : !this.#unserved.has(key)) this.#keys = undefined;
    if (state !== undefined) this.#unserved.set(key, state);
  }
}
