/** Lets a daemon's effects fail, or the daemon die, at a chosen one: all that it changes in the cluster and on disk passes here. */

import { LocalizerError } from "../../src/errors.ts";
import { Journal } from "../../src/expose/journal.ts";
import type { SessionRecord } from "../../src/expose/records.ts";
import type { ApiClient, ApiRequest } from "../../src/kube/api-client.ts";
import { statusError } from "../../src/kube/api-status.ts";

/** What happens at an effect. */
export type EffectFault =
  /** As kill -9: nothing of the daemon goes on, neither before nor after the effect. */
  | { readonly kind: "kill"; readonly when: "before" | "after" }
  /** The server says no. */
  | { readonly kind: "refused"; readonly status: 403 | 409 | 500 }
  /** It is done, and the answer is lost. */
  | { readonly kind: "answer-lost" }
  /** Nothing answers, so many times: at once, or only after too long a time. */
  | { readonly kind: "away" | "late"; readonly times: number };

/** Which effect, counted from 0, and what happens. */
export interface EffectPlan {
  readonly at: number;
  /** Count reads of the API instead. */
  readonly amongReads?: boolean;
  readonly fault: EffectFault;
}

/** Counts effects, and applies the plan. */
export class FaultGate {
  /** Names of all so far: `PATCH deployments`. */
  readonly effects: string[] = [];
  /** Names of all reads so far. */
  readonly reads: string[] = [];
  /** Resolves when the daemon was killed. */
  readonly killed: Promise<void>;
  #plan: EffectPlan | undefined;
  /** Where the plan began to count. */
  #base = { effects: 0, reads: 0 };
  readonly #kill = Promise.withResolvers<void>();
  #isDead = false;
  #awayLeft = 0;

  constructor(plan?: EffectPlan) {
    this.killed = this.#kill.promise;
    if (plan !== undefined) this.arm(plan);
  }

  /** Counts from here on, and fails by this plan. */
  arm(plan: EffectPlan): void {
    this.#plan = plan;
    this.#base = { effects: this.effects.length, reads: this.reads.length };
    this.#awayLeft = "times" in plan.fault ? plan.fault.times : 0;
  }

  /** A read: never ends for a dead daemon. */
  async read<T>(name: string, run: () => Promise<T>): Promise<T> {
    if (this.#isDead) return await never();
    const isChosen = this.#plan?.amongReads === true && this.reads.length - this.#base.reads === this.#plan.at;
    const fault = isChosen ? this.#plan?.fault : undefined;
    this.#away(name, fault);
    this.reads.push(name);
    refuse(name, fault);
    const value = await run();
    return this.#isDead ? await never() : value;
  }

  /** An effect. */
  async effect<T>(name: string, run: () => Promise<T>): Promise<T> {
    if (this.#isDead) return await never();
    const isChosen = this.#plan?.amongReads !== true && this.effects.length - this.#base.effects === this.#plan?.at;
    const fault = isChosen ? this.#plan?.fault : undefined;
    this.#away(name, fault);
    this.effects.push(name);
    if (fault?.kind === "kill" && fault.when === "before") return await this.#die();
    refuse(name, fault);
    const value = await run();
    if (fault?.kind === "kill") return await this.#die();
    if (fault?.kind === "answer-lost")
      throw new LocalizerError("unavailable", `Cannot ${name}: told to lose the answer`);
    return this.#isDead ? await never() : value;
  }

  /** The same call, tried again, is the same one. */
  #away(name: string, fault: EffectFault | undefined): void {
    if ((fault?.kind !== "away" && fault?.kind !== "late") || this.#awayLeft === 0) return;
    this.#awayLeft--;
    throw new LocalizerError(
      fault.kind === "away" ? "unavailable" : "timeout",
      `Cannot ${name}: told to be ${fault.kind}`,
    );
  }

  async #die(): Promise<never> {
    this.#isDead = true;
    this.#kill.resolve();
    return await never();
  }
}

/** The client's writes as effects, all else as reads. Reviews and dry runs change nothing. */
export function gatedClient(
  client: ApiClient,
  gate: FaultGate,
): Pick<ApiClient, "request" | "getJson" | "getList" | "watch"> {
  return {
    request(request: ApiRequest) {
      const run = () => client.request(request);
      const isHarmless =
        request.method === "GET" ||
        request.path.includes("dryRun=All") ||
        request.path.includes("selfsubjectaccessreviews");
      return isHarmless
        ? gate.read(`${request.method} ${kindOf(request.path)}`, run)
        : gate.effect(`${request.method} ${kindOf(request.path)}`, run);
    },
    getJson: (path, options) => gate.read(path, () => client.getJson(path, options)),
    getList: (path, read, options) => gate.read(path, () => client.getList(path, read, options)),
    watch: (path, options) => client.watch(path, options),
  };
}

/** A journal whose writes are effects. */
export class GatedJournal extends Journal {
  readonly #gate: FaultGate;

  constructor(folder: string, gate: FaultGate, isRunning: boolean) {
    super(folder, { self: { pid: 1 }, isRunning: async () => isRunning });
    this.#gate = gate;
  }

  override write(server: string, record: SessionRecord): Promise<void> {
    return this.#gate.effect("journal write", () => super.write(server, record));
  }

  override remove(session: string): Promise<void> {
    return this.#gate.effect("journal remove", () => super.remove(session));
  }
}

function refuse(name: string, fault: EffectFault | undefined): void {
  if (fault?.kind !== "refused") return;
  const { status } = fault;
  throw statusError(`Cannot ${name}`, status, { code: status, message: "told to fail", reason: "Told" });
}

/** `/apis/apps/v1/namespaces/shop/deployments/cart?x` is of deployments. */
function kindOf(path: string): string {
  return /\/namespaces\/[^/]+\/([^/?]+)/.exec(path)?.[1] ?? path;
}

function never(): Promise<never> {
  return new Promise(() => {});
}
