/**
 * How many connections of the engine `v4` there may be: each connection of a caller is one of its own, and no pool counts
 * them. Promises that whoever came first is served first, and waits no longer than for a pooled connection. Used by choose-engine.
 */
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { defaultPoolOptions, type PoolOptions } from "./pool-options.ts";
import type { Upgraded } from "./upgrade.ts";

/** The limits that it shares with the pool. Each connection is one stream, so those on streams are never reached. */
export type ChannelLimits = Pick<PoolOptions, "connections" | "patienceMs">;

/** Those of one cluster. Disposing it closes the connections that still send the end of what was sent. */
export class ChannelLimit implements Disposable {
  readonly #clock: Clock;
  readonly #limits: ChannelLimits;
  readonly #sockets = new Set<Duplex>();
  readonly #waiters = new Set<() => void>();
  #taken = 0;

  constructor(clock: Clock, limits: ChannelLimits = defaultPoolOptions) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Connections and dials. */
  get size(): number {
    return this.#taken;
  }

  /**
   * Waits for a place and holds it while `open` is at work and then until its socket is closed.
   * @throws LocalizerError what `open` throws; `unavailable` when no place became free in time; `aborted`
   */
  async hold(endpoint: Endpoint, signal: AbortSignal, open: () => Promise<Upgraded>): Promise<Upgraded> {
    throwIfAborted(signal);
    if (this.#taken < this.#limits.connections) this.#taken++;
    else await this.#place(endpoint, signal);
    try {
      const upgraded = await open();
      const { socket } = upgraded;
      this.#sockets.add(socket);
      const left = () => {
        if (this.#sockets.delete(socket)) this.#leave();
      };
      if (socket.closed) left();
      else socket.once("close", left);
      return upgraded;
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Whoever leaves hands the place to the first who waits. */
  #leave(): void {
    const [first] = this.#waiters;
    if (first === undefined) this.#taken--;
    else first();
  }

  #place({ pod, port }: Endpoint, signal: AbortSignal): Promise<void> {
    const { connections, patienceMs } = this.#limits;
    return new Promise((resolve, reject) => {
      const settle = (error?: LocalizerError) => {
        this.#waiters.delete(serve);
        timer[Symbol.dispose]();
        signal.removeEventListener("abort", onAbort);
        if (error === undefined) resolve();
        else reject(error);
      };
      const serve = () => settle();
      const onAbort = () => settle(new LocalizerError("aborted", "Stopped", { cause: signal.reason }));
      const sentence = `Cannot forward to ${pod.namespace}/${pod.name}:${port}: the limit of ${connections} connections to pods is reached`;
      const timer = this.#clock.after(patienceMs, () => settle(new LocalizerError("unavailable", sentence)));
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiters.add(serve);
    });
  }
}
