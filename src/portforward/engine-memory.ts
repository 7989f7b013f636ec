/** What is known of a cluster's engines: which one works, and where rights want another. Pure but for the clock. */
import type { Clock } from "../clock.ts";
import type { EngineName } from "../model/engine-name.ts";
import type { RefusalSign } from "./upgrade-refusal.ts";

/** An engine that was chosen because of what may have been a hiccup is not kept for longer. */
export const hiccupMemoryMs = 600_000;

/** The memory of one cluster. */
export class EngineMemory {
  readonly #clock: Clock;
  #chosen: { readonly engine: EngineName; readonly untilMs: number } | undefined;
  /** RBAC differs by namespace, and with it the verb. */
  readonly #byNamespace = new Map<string, EngineName>();
  #round = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts `clear`: what was found before one says nothing about what is now. */
  get round(): number {
    return this.#round;
  }

  /** The cluster's. */
  get engine(): EngineName | undefined {
    return this.#chosen?.engine;
  }

  /** The one to use; undefined when it has to be found out. */
  engineFor(namespace: string): EngineName | undefined {
    if (this.#chosen === undefined || this.#clock.monotonic() >= this.#chosen.untilMs) return undefined;
    return this.#byNamespace.get(namespace) ?? this.#chosen.engine;
  }

  /** The engine has just worked there, after refusals with these signs. */
  remember(namespace: string, engine: EngineName, refusals: readonly RefusalSign[]): void {
    if (this.engineFor(namespace) !== undefined && refusals.every((sign) => sign === "verb")) {
      this.#byNamespace.set(namespace, engine);
      return;
    }
    const mayBeHiccup = refusals.includes("passing");
    this.#chosen = {
      engine,
      untilMs: mayBeHiccup ? this.#clock.monotonic() + hiccupMemoryMs : Number.POSITIVE_INFINITY,
    };
    this.#byNamespace.clear();
  }

  /** Forgets everything. */
  clear(): void {
    this.#round++;
    this.#chosen = undefined;
    this.#byNamespace.clear();
  }
}
