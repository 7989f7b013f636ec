/**
 * tunnel: one service's listeners and live connections. Promises that listeners stay while pods come and
 * go, that the pod is chosen when a connection arrives, and that disposing leaves no socket. It knows
 * addresses, ports and pods, and no Kubernetes object. Used by controller.
 */
import { codeOf, LocalizerError } from "../errors.ts";
import type { LoopbackAddress } from "../model/loopback.ts";
import type { Port } from "../model/port.ts";
import { Balancer } from "./balancer.ts";
import type { TunnelComponents, TunnelPortSpec, TunnelPortStatus } from "./tunnel-components.ts";
import { TunnelPort } from "./tunnel-port.ts";

/** A service's tunnel, made without listeners: `update` opens them. */
export class Tunnel implements AsyncDisposable {
  readonly address: LoopbackAddress;
  readonly #components: TunnelComponents;
  readonly #balancer = new Balancer();
  readonly #ports = new Map<Port, TunnelPort>();
  readonly #bindErrors = new Map<Port, LocalizerError>();

  constructor(components: TunnelComponents, address: LoopbackAddress) {
    this.#components = components;
    this.address = address;
  }

  /**
   * Makes it what `specs` say: opens ports that are missing, closes those that are too many (with their
   * connections), tells the others their endpoints. May be called again with the same specs.
   * @throws LocalizerError the first bind failure, after every port was tried; `aborted` when the signal fired
   */
  async update(specs: readonly TunnelPortSpec[], signal?: AbortSignal): Promise<void> {
    const wanted = new Set(specs.map(({ port }) => port));
    for (const [port, open] of this.#ports) {
      if (!wanted.has(port)) {
        this.#ports.delete(port);
        await open[Symbol.asyncDispose]();
      }
    }
    for (const port of this.#bindErrors.keys()) if (!wanted.has(port)) this.#bindErrors.delete(port);
    for (const spec of specs) await this.#updatePort(spec, signal);
    const [failure] = this.#bindErrors.values();
    if (failure !== undefined) throw failure;
  }

  /** Its ports, by number, those that could not be opened among them. */
  get ports(): readonly TunnelPortStatus[] {
    const failed = [...this.#bindErrors].map(
      ([port, bindError]): TunnelPortStatus => ({
        port,
        state: "failed",
        at: undefined,
        bindError,
        endpoint: undefined,
        ready: 0,
        connections: 0,
        lastError: undefined,
      }),
    );
    return [...[...this.#ports.values()].map((port) => port.status), ...failed].sort((a, b) => a.port - b.port);
  }

  /** Closes all listeners and resets all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ports = [...this.#ports.values()];
    this.#ports.clear();
    await Promise.all(ports.map((port) => port[Symbol.asyncDispose]()));
  }

  async #updatePort({ port, endpoints }: TunnelPortSpec, signal: AbortSignal | undefined): Promise<void> {
    const open = this.#ports.get(port);
    if (open !== undefined) {
      open.setEndpoints(endpoints);
      return;
    }
    const at = { address: this.address, port };
    try {
      this.#ports.set(
        port,
        await TunnelPort.open(this.#components, at, { endpoints, balancer: this.#balancer }, signal),
      );
      this.#bindErrors.delete(port);
    } catch (error) {
      if (codeOf(error) === "aborted") throw error;
      this.#bindErrors.set(port, LocalizerError.from(error));
    }
  }
}
