/** A service that has a tunnel, and the pods of it that have tunnels of their own. */
import { codeOf, LocalizerError } from "../errors.ts";
import type { LoopbackAddress } from "../model/loopback.ts";
import { podKey, type ServiceKey } from "../model/service-key.ts";
import type { TunnelPortStatus } from "../tunnel/tunnel-components.ts";
import type { DesiredTunnel } from "./desired.ts";
import type { SeenPorts } from "./headless.ts";
import { type HostNamePolicy, type HostNames, podNames, serviceNames } from "./host-names.ts";
import { NamedTunnel, type NamedTunnelComponents } from "./named-tunnel.ts";

/** How the tunnel to one pod of a headless Service stands. */
export interface ServedPod {
  /** The first label of its names: what cluster DNS calls the pod. */
  readonly hostname: string;
  readonly address: LoopbackAddress;
  readonly ports: readonly TunnelPortStatus[];
  readonly names: HostNames;
}

/** How a service with a tunnel stands. */
export interface ServedState {
  readonly key: ServiceKey;
  readonly address: LoopbackAddress;
  readonly ports: readonly TunnelPortStatus[];
  readonly names: HostNames;
  readonly notice: string | undefined;
  /** The pods that have names and addresses of their own, by host name: those of a headless Service. */
  readonly pods: readonly ServedPod[];
}

/** Made by Controller, which never works on one service twice at once. */
export class ServedService implements AsyncDisposable {
  /** Set when its names may have changed; the next update computes them again. */
  namesAreStale = false;
  readonly #components: NamedTunnelComponents;
  readonly #key: ServiceKey;
  readonly #policy: HostNamePolicy;
  readonly #tunnel: NamedTunnel;
  /** Both by host name, and undefined until there is one: most Services are not headless. */
  #pods: Map<string, NamedTunnel> | undefined;
  #podErrors: Map<string, LocalizerError> | undefined;
  #notice: string | undefined;
  #seen: SeenPorts | undefined;

  /** @throws LocalizerError `unavailable` when no address is left */
  constructor(components: NamedTunnelComponents, key: ServiceKey, policy: HostNamePolicy) {
    this.#components = components;
    this.#key = key;
    this.#policy = policy;
    this.#tunnel = new NamedTunnel(components, key, serviceNames(key, policy));
  }

  /** What `desiredTunnel` is to be handed. */
  get seen(): SeenPorts | undefined {
    return this.#seen;
  }

  /** True when its address has become somebody else's: it has to be withdrawn and made anew. */
  get isMisplaced(): boolean {
    return this.#tunnel.isMisplaced;
  }

  get address(): LoopbackAddress {
    return this.#tunnel.address;
  }

  get state(): ServedState {
    const { address, ports, names } = this.#tunnel;
    const failed = [...(this.#podErrors ?? [])].map(([hostname, { message }]) => `pod ${hostname}: ${message}`);
    const notices = [this.#notice, ...failed].filter((text) => text !== undefined);
    const pods = [...(this.#pods ?? [])].map(([hostname, pod]) => {
      return { hostname, address: pod.address, ports: pod.ports, names: pod.names };
    });
    return {
      key: this.#key,
      address,
      ports,
      names,
      notice: notices.length === 0 ? undefined : notices.join("; "),
      pods: pods.sort(byHostname),
    };
  }

  /** The service's own ports. */
  get ports(): readonly TunnelPortStatus[] {
    return this.#tunnel.ports;
  }

  /** There was a connection through one of its ports, or of its pods'. */
  get isUsed(): boolean {
    if (this.#tunnel.isUsed) return true;
    for (const pod of this.#pods?.values() ?? []) if (pod.isUsed) return true;
    return false;
  }

  /** Open now, through its own ports and those of its pods. */
  get connections(): number {
    const ports = this.#all().flatMap((tunnel) => tunnel.ports);
    return ports.reduce((sum, port) => sum + port.connections, 0);
  }

  /**
   * Makes it what is desired; all of it is tried, also when a part fails.
   * @throws LocalizerError the first failure: a port that cannot be bound, a pod for which no address is left; `aborted`
   */
  async update(desired: DesiredTunnel, signal: AbortSignal): Promise<void> {
    this.#notice = desired.notice;
    this.#seen = desired.seen;
    if (this.namesAreStale) this.#rename();
    const wanted = new Set(desired.pods.map(({ hostname }) => hostname));
    for (const hostname of this.#podErrors?.keys() ?? []) if (!wanted.has(hostname)) this.#podErrors?.delete(hostname);
    for (const [hostname, pod] of this.#pods ?? []) {
      if (wanted.has(hostname) && !pod.isMisplaced) continue;
      this.#pods?.delete(hostname);
      await pod.withdraw();
    }
    const pods = desired.pods.map(({ hostname, ports }) => [this.#pod(hostname), ports] as const);
    const failures: LocalizerError[] = [...(this.#podErrors?.values() ?? [])];
    for (const [tunnel, ports] of [[this.#tunnel, desired.ports] as const, ...pods]) {
      await tunnel?.update(ports, signal).catch((thrown: unknown) => {
        if (codeOf(thrown) === "aborted") throw thrown;
        failures.push(LocalizerError.from(thrown));
      });
    }
    // Together, and only now: a name that leads to a port still to be opened is refused.
    for (const tunnel of this.#all()) tunnel.publish();
    const [failure] = failures;
    if (failure !== undefined) throw failure;
  }

  /** Takes everything back. */
  async withdraw(): Promise<void> {
    await Promise.all(this.#all().map((tunnel) => tunnel.withdraw()));
  }

  /** Closes the listeners and no more: at the end the whole table goes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all().map((tunnel) => tunnel[Symbol.asyncDispose]()));
  }

  /** The pod's tunnel; undefined when no address is left for it. */
  #pod(hostname: string): NamedTunnel | undefined {
    const known = this.#pods?.get(hostname);
    if (known !== undefined) return known;
    try {
      const names = podNames(this.#key, hostname, this.#policy);
      const pod = new NamedTunnel(this.#components, podKey(this.#key, hostname), names);
      this.#pods ??= new Map();
      this.#pods.set(hostname, pod);
      this.#podErrors?.delete(hostname);
      return pod;
    } catch (thrown) {
      this.#podErrors ??= new Map();
      this.#podErrors.set(hostname, LocalizerError.from(thrown));
      return undefined;
    }
  }

  #rename(): void {
    // Before the policy is asked: an answer that comes meanwhile makes them stale again.
    this.namesAreStale = false;
    this.#tunnel.rename(serviceNames(this.#key, this.#policy));
    for (const [hostname, pod] of this.#pods ?? []) pod.rename(podNames(this.#key, hostname, this.#policy));
  }

  #all(): readonly NamedTunnel[] {
    return [this.#tunnel, ...(this.#pods?.values() ?? [])];
  }
}

/** web-2 before web-10. */
function byHostname(a: ServedPod, b: ServedPod): number {
  return a.hostname.localeCompare(b.hostname, "en", { numeric: true });
}
