/**
 * Whether a silent connection can still reach the API server, where pings cannot tell because they wait behind an upload
 * that the application does not read. Three witnesses: our own address is no more (another network), the kernel repeats what
 * it sent without an answer, and a second dial to the same place. The kernel alone sees this very connection, but nothing
 * behind a proxy, not for long what a closed window was like, and only on Linux; the second dial sees the way on every system.
 * Used by choose-engine.
 */
import { type Clock, withTimeout } from "../clock.ts";
import type { DeliveryOf, TcpEnds } from "../net/tcp-delivery.ts";

/** So long the second dial may take. */
export const dialMs = 3_000;

/** What it has shown holds so long, for all connections to the same API server. */
const keptMs = 4_000;

/** Asks for one connection; what a dial before `sinceMs` has shown does not count. Never rejects. */
export type AskPath = (sinceMs: number) => Promise<"alive" | "dead">;

/** The witnesses. */
export interface PathWitnesses {
  readonly clock: Clock;
  readonly deliveryOf: DeliveryOf;
  /** False when no interface has the address any more. */
  readonly isOurs: (address: string) => boolean;
  /** Connects to the API server and closes the connection. */
  readonly dial: (signal: AbortSignal) => Promise<void>;
  /** There is a proxy before the API server: an acknowledgement is the proxy's. */
  readonly isProxied: boolean;
}

/** One for each cluster: its connections share the second dial. */
export class PathCheck {
  readonly #witnesses: PathWitnesses;
  #dial: Promise<boolean> | undefined;
  #dialledMs = 0;

  constructor(witnesses: PathWitnesses) {
    this.#witnesses = witnesses;
  }

  /** For the connection with these ends; without any only the second dial can tell. */
  of(ends: TcpEnds): AskPath {
    const { deliveryOf, isOurs, isProxied } = this.#witnesses;
    const { localAddress = "" } = ends;
    // Some never are: link-local ones, and those of a route without an interface.
    const wasOurs = isOurs(localAddress);
    return async (sinceMs) => {
      if (wasOurs && !isOurs(localAddress)) return "dead";
      const delivery = await deliveryOf(ends);
      if (delivery === "unacked") return "dead";
      if (delivery === "acked" && !isProxied) return "alive";
      return (await this.#reaches(sinceMs)) ? "alive" : "dead";
    };
  }

  #reaches(sinceMs: number): Promise<boolean> {
    const { clock, dial } = this.#witnesses;
    const now = clock.monotonic();
    if (this.#dial !== undefined && now - this.#dialledMs < keptMs && this.#dialledMs >= sinceMs) return this.#dial;
    this.#dialledMs = now;
    const { signal } = new AbortController();
    const limits = { action: "Cannot reach the API server", timeoutMs: dialMs, signal };
    this.#dial = withTimeout(clock, limits, dial).then(
      () => true,
      () => false,
    );
    return this.#dial;
  }
}
