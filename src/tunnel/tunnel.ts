/**
 * tunnel: one service's listeners and live connections. Promises that listeners stay while pods come and
 * go, that the pod is chosen when a connection arrives, and that disposing leaves no socket. It knows
 * addresses, ports and pods, and no Kubernetes object. Used by controller.
 */
import { codeOf, LocalizerError, throwIfAborted } from "../errors.ts";
import type { LoopbackAddress } from "../model/loopback.ts";
import type { Port } from "../model/port.ts";
import { Balancer } from "./balancer.ts";
import type { TunnelComponents, TunnelPortSpec, TunnelPortStatus } from "./tunnel-components.ts";
import { type Neighbours, TunnelPort } from "./tunnel-port.ts";

/** A service's tunnel, made without listeners: `update` opens them. */
export class Tunnel implements Neighbours, AsyncDisposable {
  readonly address: LoopbackAddress;
  readonly #components: TunnelComponents;
  readonly #balancer = new Balancer();
  readonly #ports = new Map<Port, TunnelPort>();
  /** Ports that are being closed: one of the same number may open only after. Undefined when there are none. */
  #leaving: Map<Port, Promise<void>> | undefined;
  #wanted: readonly Port[] = [];
  #isClosed = false;

  constructor(components: TunnelComponents, address: LoopbackAddress) {
    this.#components = components;
    this.address = address;
  }

  /**
   * Makes it what `specs` say: opens ports that are missing, closes those that are too many (with their connections),
   * tells the others their endpoints. May be called again with the same specs, and while an earlier call is under way:
   * the latest wins.
   * @throws LocalizerError the first bind failure, after every port was tried; `aborted` when the signal fired, the
   * tunnel was disposed or a later call closed a port that this one was opening
   */
  async update(specs: readonly TunnelPortSpec[], signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    if (this.#isClosed) throw new LocalizerError("aborted", "Stopped");
    this.#wanted = specs.map(({ port }) => port);
    const { wanted } = this;
    const closed = [...this.#ports.keys()].filter((port) => !wanted.has(port)).map((port) => this.#close(port));
    const before = specs.flatMap((spec) => {
      const port = this.#ports.get(spec.port);
      return port === undefined
        ? []
        : [{ isAtHome: port.status.at?.port === spec.port, done: port.update(spec, signal) }];
    });
    // One that had to move may sit on the number of a new one; it goes first.
    const moving = Promise.allSettled(before.filter(({ isAtHome }) => !isAtHome).map(({ done }) => done));
    const opened = specs
      .filter(({ port }) => !this.#ports.has(port))
      .map((spec) => {
        return this.#open(spec.port, moving).update(spec, signal);
      });
    const results = await Promise.allSettled([...closed, ...before.map(({ done }) => done), ...opened]);
    const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
    const [failure] = failures.toSorted((a, b) => Number(isAbort(b)) - Number(isAbort(a)));
    if (failure !== undefined) throw failure;
  }

  /** Its ports, by number, those that could not be opened among them. */
  get ports(): readonly TunnelPortStatus[] {
    return [...this.#ports.values()].map((port) => port.status).sort((a, b) => a.port - b.port);
  }

  /** A set of its own each time: it is asked for when a port opens, and a set takes 230 bytes. */
  get wanted(): ReadonlySet<Port> {
    return new Set(this.#wanted);
  }

  movedTo(number: Port): Port | undefined {
    return this.ports.find(({ port, at }) => port !== number && at?.port === number)?.port;
  }

  /** There was a connection through one of its ports. */
  get isUsed(): boolean {
    for (const { traffic } of this.#ports.values()) if (traffic !== undefined) return true;
    return false;
  }

  /** Closes all listeners and resets all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const port of [...this.#ports.keys()]) void this.#close(port);
    await Promise.all(this.#leaving?.values() ?? []);
  }

  #open(port: Port, moving: Promise<unknown>): TunnelPort {
    const after = Promise.all([moving, this.#leaving?.get(port)]).then(() => {});
    const options = { balancer: this.#balancer, neighbours: this, after };
    const made = new TunnelPort(this.#components, { address: this.address, port }, options);
    this.#ports.set(port, made);
    return made;
  }

  #close(port: Port): Promise<void> {
    const open = this.#ports.get(port);
    this.#ports.delete(port);
    this.#leaving ??= new Map();
    const leaving = this.#leaving;
    const done = Promise.all([leaving.get(port), open?.[Symbol.asyncDispose]()]).then(() => {
      if (leaving.get(port) === done) leaving.delete(port);
      if (leaving.size === 0 && this.#leaving === leaving) this.#leaving = undefined;
    });
    leaving.set(port, done);
    return done;
  }
}

function isAbort(error: unknown): boolean {
  return codeOf(error) === "aborted";
}
