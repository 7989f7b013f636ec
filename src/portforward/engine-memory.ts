/**
 * What is known of a cluster's engines: which one works, and which pods and namespaces want another. Promises that what one
 * pod or one namespace says changes nothing for the others. Pure but for the clock.
 */
import type { Clock } from "../clock.ts";
import type { PodRef } from "../model/endpoint.ts";
import type { EngineName } from "../model/engine-name.ts";
import type { UpgradeRefusal } from "./upgrade-refusal.ts";

/** An engine that was chosen because of what may have been a hiccup is not kept for longer. */
export const hiccupMemoryMs = 600_000;

interface Known {
  readonly engine: EngineName;
  readonly untilMs: number;
}

interface KnownOfPod extends Known {
  /** The cluster's engine has worked since: the silence was this pod's. */
  readonly isItsOwn: boolean;
}

/** The memory of one cluster. */
export class EngineMemory {
  readonly #clock: Clock;
  #cluster: Known | undefined;
  /** RBAC differs by namespace, and with it the verb. */
  readonly #byNamespace = new Map<string, Known>();
  /** Where silence made the choice: the pod's or its node's, until another pod is met with the same. By UID. */
  readonly #byPod = new Map<string, KnownOfPod>();
  #round = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts `clear`: what was found before one says nothing about what is now. */
  get round(): number {
    return this.#round;
  }

  /** The cluster's; as long as there is none, one of those that work somewhere. */
  get engine(): EngineName | undefined {
    const all = [this.#cluster, ...this.#byNamespace.values(), ...this.#byPod.values()];
    return all.find((known) => known !== undefined)?.engine;
  }

  /** The one to use in the namespace; undefined when it has to be found out. */
  engineIn(namespace: string): EngineName | undefined {
    return (this.#valid(this.#byNamespace.get(namespace)) ?? this.#valid(this.#cluster))?.engine;
  }

  /** The one to use for the pod; undefined when it has to be found out. */
  engineFor({ namespace, uid }: Pick<PodRef, "namespace" | "uid">): EngineName | undefined {
    return this.#valid(this.#byPod.get(uid))?.engine ?? this.engineIn(namespace);
  }

  /** The engine has just worked for the pod, after these refusals. */
  remember(pod: Pick<PodRef, "namespace" | "uid">, engine: EngineName, refusals: readonly UpgradeRefusal[]): void {
    const mayBeHiccup = refusals.some(({ sign }) => sign === "passing");
    const untilMs = mayBeHiccup ? this.#clock.monotonic() + hiccupMemoryMs : Number.POSITIVE_INFINITY;
    const isSilence = refusals.some(({ error }) => error.code === "timeout");
    for (const [uid, known] of this.#byPod) if (!this.#valid(known)) this.#byPod.delete(uid);
    if (isSilence && !this.#isSilentElsewhere(pod.uid, engine)) {
      this.#byPod.set(pod.uid, { engine, untilMs, isItsOwn: false });
      return;
    }
    this.#byPod.delete(pod.uid);
    if (refusals.some(({ sign }) => sign === "verb")) {
      this.#byNamespace.set(pod.namespace, { engine, untilMs });
      return;
    }
    // What is found for the first time takes back nothing.
    if (this.#cluster !== undefined && this.#cluster.engine !== engine) {
      this.#byNamespace.clear();
      this.#byPod.clear();
    }
    this.#cluster = { engine, untilMs };
    this.worked(engine);
  }

  /** The engine has made a connection. Where it is the cluster's, what some pods were silent about is their own matter. */
  worked(engine: EngineName): void {
    if (engine !== this.#cluster?.engine) return;
    for (const [uid, known] of this.#byPod) if (!known.isItsOwn) this.#byPod.set(uid, { ...known, isItsOwn: true });
  }

  /** Forgets everything. */
  clear(): void {
    this.#round++;
    this.#cluster = undefined;
    this.#byNamespace.clear();
    this.#byPod.clear();
  }

  #valid<T extends Known>(known: T | undefined): T | undefined {
    return known !== undefined && this.#clock.monotonic() < known.untilMs ? known : undefined;
  }

  #isSilentElsewhere(uid: string, engine: EngineName): boolean {
    return [...this.#byPod].some(([other, known]) => other !== uid && known.engine === engine && !known.isItsOwn);
  }
}
