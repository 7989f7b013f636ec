/** Lets a daemon's effects fail, or the daemon die, at a chosen one: all that it changes in the cluster and on disk passes here. */

import { aborted } from "../../src/clock.ts";
import { codeOf, type ErrorCode, LocalizerError } from "../../src/errors.ts";
import { Journal } from "../../src/expose/journal.ts";
import type { SessionRecord } from "../../src/expose/records.ts";
import type { ApiClient, ApiRequest } from "../../src/kube/api-client.ts";
import { apiStatusOf, statusError } from "../../src/kube/api-status.ts";

/** What happens at an effect. */
export type EffectFault =
  /** As kill -9: nothing of the daemon goes on, neither before nor after the effect. */
  | { readonly kind: "kill"; readonly when: "before" | "after" }
  /** The server says no. */
  | { readonly kind: "refused"; readonly status: 403 | 409 | 500 }
  /** It is done, and the answer is lost. */
  | { readonly kind: "answer-lost" }
  /** It is on its way when the daemon is killed, or told to stop, and done only when the test says so (`land`). */
  | { readonly kind: "lands-late"; readonly by: "kill" | "stop" }
  /** Nothing answers, so many times: at once, or only after too long a time. */
  | { readonly kind: "away" | "late"; readonly times: number };

/** Which effect, and what happens. */
export interface EffectPlan {
  /** Counted from 0, among those of that name if one is given. */
  readonly at: number;
  /** `PATCH deployments`: how many others there are before it may differ from run to run. */
  readonly name?: string;
  /** Count reads of the API instead. */
  readonly amongReads?: boolean;
  readonly fault: EffectFault;
}

/** One that was begun. */
interface Effect {
  readonly name: string;
  /** By the server, as of an object that has changed meanwhile: then it is none, and the next one has its place in the count. */
  isRefused: boolean;
}

/** Counts effects, and applies the plan. */
export class FaultGate {
  /** Names of all that were tried, also in vain. */
  readonly tries: string[] = [];
  /** Names of all reads so far. */
  readonly reads: string[] = [];
  /** Resolves when the daemon was killed. */
  readonly killed: Promise<void>;
  /** Resolves when an effect is on its way that lands late. */
  readonly sent: Promise<void>;
  #plan: EffectPlan | undefined;
  readonly #effects: Effect[] = [];
  /** Where the plan began to count. */
  #base = { effects: 0, reads: 0 };
  /** The chosen one was refused: the next of its name is it. */
  #isRefused = false;
  readonly #kill = Promise.withResolvers<void>();
  readonly #send = Promise.withResolvers<void>();
  #late: (() => Promise<unknown>) | undefined;
  #isDead = false;
  #awayLeft = 0;

  constructor(plan?: EffectPlan) {
    this.killed = this.#kill.promise;
    this.sent = this.#send.promise;
    if (plan !== undefined) this.arm(plan);
  }

  /** Names of all so far that the server has not refused: `PATCH deployments`. */
  get effects(): readonly string[] {
    return this.#effects.filter(({ isRefused }) => !isRefused).map(({ name }) => name);
  }

  /** Counts from here on, and fails by this plan. */
  arm(plan: EffectPlan): void {
    this.#plan = plan;
    this.#base = { effects: this.#effects.length, reads: this.reads.length };
    this.#isRefused = false;
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

  /** The effect that was on its way arrives. Gives what it comes to. */
  async land(): Promise<"done" | ErrorCode> {
    const late = this.#late;
    if (late === undefined) throw new Error("Nothing is on its way");
    return await late().then(
      () => "done" as const,
      (error: unknown) => codeOf(error),
    );
  }

  /** An effect. With its signal it is one that may land late. */
  async effect<T>(name: string, run: (signal?: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#isDead) return await never();
    this.tries.push(name);
    const isChosen = this.#isChosen(name);
    const fault = isChosen ? this.#plan?.fault : undefined;
    this.#away(name, fault);
    if (isChosen) this.#isRefused = false;
    const effect = { name, isRefused: false };
    this.#effects.push(effect);
    if (fault?.kind === "kill" && fault.when === "before") return await this.#die();
    if (fault?.kind === "lands-late") {
      this.#late = () => run();
      this.#send.resolve();
      if (fault.by === "kill") return await this.#die();
      if (signal !== undefined) await aborted(signal);
      throw new LocalizerError("aborted", "Stopped");
    }
    refuse(name, fault);
    const value = await run(signal).catch((error: unknown) => {
      // Without an answer it may be done.
      effect.isRefused = apiStatusOf(error) !== undefined;
      if (isChosen) this.#isRefused = effect.isRefused;
      throw error;
    });
    if (fault?.kind === "kill") return await this.#die();
    if (fault?.kind === "answer-lost")
      throw new LocalizerError("unavailable", `Cannot ${name}: told to lose the answer`);
    return this.#isDead ? await never() : value;
  }

  #isChosen(name: string): boolean {
    const plan = this.#plan;
    if (plan === undefined || plan.amongReads === true || (plan.name !== undefined && plan.name !== name)) return false;
    const before = this.#effects
      .slice(this.#base.effects)
      .filter((one) => !one.isRefused && (plan.name === undefined || plan.name === one.name));
    return this.#isRefused || before.length === plan.at;
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

  /** The daemon dies now, wherever it is. */
  kill(): void {
    this.#isDead = true;
    this.#kill.resolve();
  }

  async #die(): Promise<never> {
    this.kill();
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
      const { signal: own, ...call } = request;
      const run = (signal?: AbortSignal) => client.request({ ...call, signal });
      const isHarmless =
        request.method === "GET" ||
        request.path.includes("dryRun=All") ||
        request.path.includes("selfsubjectaccessreviews");
      return isHarmless
        ? gate.read(`${request.method} ${kindOf(request.path)}`, () => run(own))
        : gate.effect(`${request.method} ${kindOf(request.path)}`, run, own);
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
