/**
 * Faults on command: how the simulated API server fails when it is told to, in the ways of real ones. Used by tests now,
 * and by whoever wants to see what localizer does about them.
 */
import type { ApiCall } from "./api-call.ts";

/** What goes wrong with one request. */
export type Fault =
  /** An HTTP status, with the Status that the real server sends with it. */
  | { readonly kind: "unauthorized" }
  | { readonly kind: "forbidden"; readonly user?: string }
  | { readonly kind: "gone" }
  | { readonly kind: "busy"; readonly retryAfterSeconds: number }
  | { readonly kind: "failure"; readonly code: number; readonly message?: string }
  /** HTTP 200 and then an ERROR event with 410. For watches. */
  | { readonly kind: "gone-event" }
  /** HTTP 200 and text that is no JSON. */
  | { readonly kind: "broken-json" }
  /** The request is taken and never answered. */
  | { readonly kind: "stuck" }
  /** The stream is reset, the connection lives on. */
  | { readonly kind: "reset" }
  /** The connection is cut. */
  | { readonly kind: "cut" }
  /** What is asked for is done, and the connection is cut before the answer. */
  | { readonly kind: "lost-answer" }
  /** The right answer, so many milliseconds late. */
  | { readonly kind: "slow"; readonly ms: number };

/** What is done to every watch that is open. */
export type WatchFault = "end" | "reset" | "gone" | "broken-json";

/** What is done to every connection: cut at once, or told to be the last (HTTP/2 GOAWAY). */
export type ConnectionFault = "cut" | "goaway";

/** Which requests; the path is of no resource when the call is undefined. */
export type Matches = (call: ApiCall | undefined) => boolean;

/** The switchboard. */
export interface Faults {
  /** The next `times` requests that match fail so; once unless said. Disposing takes it back. Earlier ones win. */
  onRequest(matches: Matches, fault: Fault, times?: number): Disposable;
  onWatches(fault: WatchFault): void;
  onConnections(fault: ConnectionFault): void;
}

interface Plan {
  readonly matches: Matches;
  readonly fault: Fault;
  times: number;
}

/** The faults that wait for a request. */
export class FaultPlans {
  readonly #plans = new Set<Plan>();

  add(matches: Matches, fault: Fault, times = 1): Disposable {
    const plan = { matches, fault, times };
    this.#plans.add(plan);
    return { [Symbol.dispose]: () => this.#plans.delete(plan) };
  }

  /** The fault of this request, which is then used up by one. */
  take(call: ApiCall | undefined): Fault | undefined {
    for (const plan of this.#plans) {
      if (!plan.matches(call)) continue;
      plan.times--;
      if (plan.times <= 0) this.#plans.delete(plan);
      return plan.fault;
    }
    return undefined;
  }
}
