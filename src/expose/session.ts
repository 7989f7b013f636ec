/** One exposure from its beginning to its end: starts, is kept, and puts everything back, whatever happens in between. */
import { aborted } from "../clock.ts";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import { namespaceOf, type ServiceKey } from "../model/service-key.ts";
import { endingOwners, endSession } from "./endings.ts";
import { whileBeating } from "./heartbeat.ts";
import type { LocalCounts, LocalSide } from "./local-side.ts";
import type { ExposedPort, ExposePlan } from "./plan.ts";
import type { SessionRecord } from "./records.ts";
import type { Report } from "./report.ts";
import { type Kept, keepSession } from "./session-keeper.ts";
import type { SessionComponents, SessionHoldings, SessionSettings } from "./session-parts.ts";
import { followSessionPods } from "./session-pod.ts";
import { rehearse, startSession } from "./session-start.ts";

/** How a session fares. */
export type SessionState = "starting" | "exposed" | "reconnecting" | "contended" | "lost" | "stopping" | "failed";

/** A session, as it is shown. */
export interface SessionView {
  readonly record: SessionRecord;
  readonly state: SessionState;
  /** Why, where there is something to say. */
  readonly reason: string;
  /** Empty before there is one. */
  readonly pod: string;
  readonly ports: readonly (ExposedPort & { readonly counts: LocalCounts })[];
}

/** Who a session is. */
export interface SessionWish {
  readonly plan: ExposePlan;
  readonly record: SessionRecord;
  /** A local end for each of the plan's ports, in their order; the session disposes them. */
  readonly sides: readonly LocalSide[];
  /** Of this session and those beside it in this process. */
  readonly mates: () => readonly string[];
}

/** How a session ends. */
export interface StopOptions {
  readonly report: Report;
  /** Ends all waiting: what is not back by then is left to the next start. */
  readonly signal: AbortSignal;
  /** How long the workload may take to become ready before our pod goes; 0: do not wait. */
  readonly waitMs: number;
}

/** How long the way back from a failed start, or from a Lease that was deleted, may take. */
const undoMs = 120_000;

/** One exposure. Made, started once, stopped once or more; what is made is disposed with `stop`. */
export class Session {
  readonly #components: SessionComponents;
  readonly #settings: SessionSettings;
  readonly #wish: SessionWish;
  readonly #holdings: SessionHoldings;
  /** Ends the start, or the keeping. */
  readonly #over = new AbortController();
  readonly #onEnd: () => void;
  #state: SessionState = "starting";
  #reason = "";
  /** The start, then the keeping; resolves when nothing of it runs. */
  #work: Promise<void> = Promise.resolve();
  /** The latest call of `stop`: it has its turn, and the earlier ones make room. */
  #stop: { readonly turn: AbortController; readonly ended: Promise<void> } | undefined;
  #isOver = false;

  /** @param onEnd called when it is over and nothing is left of it */
  constructor(components: SessionComponents, settings: SessionSettings, wish: SessionWish, onEnd: () => void) {
    this.#components = components;
    this.#settings = settings;
    this.#wish = wish;
    this.#onEnd = onEnd;
    const { plan, record, sides, mates } = wish;
    const ports = plan.ports.flatMap(({ remote }, index) => {
      const side = sides[index];
      return side === undefined ? [] : [{ remote, take: side.take }];
    });
    this.#holdings = {
      plan,
      ports: onePerRemote(ports),
      mates,
      pods: followSessionPods(components.cache, record),
      record,
      attempts: 0,
    };
  }

  get key(): ServiceKey {
    return this.#wish.record.key;
  }

  get plan(): ExposePlan {
    return this.#wish.plan;
  }

  get id(): string {
    return this.#wish.record.session;
  }

  get view(): SessionView {
    const { plan, sides } = this.#wish;
    return {
      record: this.#holdings.record,
      state: this.#state,
      reason: this.#reason,
      pod: this.#holdings.pod?.name ?? "",
      ports: plan.ports.flatMap((port, index) => {
        const counts = sides[index]?.counts;
        return counts === undefined ? [] : [{ ...port, counts }];
      }),
    };
  }

  /** Has the cluster check all that a start would do; nothing is changed. @throws LocalizerError as the cluster refuses */
  async rehearse(): Promise<void> {
    await rehearse(this.#components, this.#settings, this.#holdings, this.#over.signal);
  }

  /**
   * Starts it; when that fails everything is put back. Afterwards it is kept until `stop`.
   * @throws LocalizerError why it did not start, and what could not be put back
   */
  async start(report: Report): Promise<void> {
    const started = this.#start(report);
    this.#work = started.then(
      () => this.#keep(),
      () => {},
    );
    await started;
  }

  async #start(tell: Report): Promise<void> {
    const { signal } = this.#over;
    let lastWarning = "";
    const report: Report = (line) => {
      if (line.level === "warn") lastWarning = line.message;
      tell(line);
    };
    const { startMs } = this.#settings;
    const late = new AbortController();
    const sentence = `Cannot expose "${this.key}": it did not start within ${Math.round(startMs / 1_000)} s`;
    try {
      await this.rehearse();
      using _limit = this.#components.clock.after(startMs, () => late.abort(new LocalizerError("timeout", sentence)));
      const limited = AbortSignal.any([signal, late.signal]);
      await startSession(this.#components, this.#settings, this.#holdings, { signal: limited, report });
      this.#state = "exposed";
    } catch (thrown) {
      const error = LocalizerError.from(thrown);
      const isOver = late.signal.aborted && !signal.aborted;
      throw await this.#undo(isOver ? lateError(sentence, lastWarning, error) : error, report);
    }
  }

  /** Gives the error to throw. */
  async #undo(error: LocalizerError, report: Report): Promise<LocalizerError> {
    this.#set("stopping", error.message);
    try {
      await this.#end({ report, signal: this.#undoTime(), waitMs: undoMs / 2 });
      this.#finish();
      return error;
    } catch (thrown) {
      const left = LocalizerError.from(thrown).message;
      this.#set("failed", left);
      const sentence = `${error.message}; and not everything could be put back: ${left}`;
      return new LocalizerError(error.code, sentence, { cause: error });
    }
  }

  #undoTime(): AbortSignal {
    const over = new AbortController();
    this.#components.clock.after(undoMs, () => over.abort(new LocalizerError("timeout", "It took too long")));
    return over.signal;
  }

  async #keep(): Promise<void> {
    const { log } = this.#components;
    const { key } = this;
    const report: Report = ({ level, message }) => log[level](message, { key });
    const onState = (kept: Kept) => {
      if (kept.state !== this.#state) log.info("The exposure has changed", { key, ...kept });
      this.#set(kept.state, kept.reason);
    };
    const { signal } = this.#over;
    const end = await keepSession(this.#components, this.#settings, this.#holdings, { signal, onState, report });
    if (end === "stopped") return;
    if (end === "taken-over") {
      // What is in the cluster is the other one's, who has put back what was ours, or will.
      this.#set("lost", "the exposure was taken over by somebody else");
      log.warn("The exposure was taken over", { key });
      try {
        await this.release();
        await this.#components.journal.remove(this.id);
      } catch (error) {
        // The next start finds nothing of it in the cluster, and forgets it then.
        log.warn("Cannot forget the exposure that was taken over", { key, error });
      }
      return;
    }
    log.warn("The Lease of the exposure was deleted; putting everything back", { key });
    try {
      await this.#end({ report, signal: this.#undoTime(), waitMs: undoMs / 2 });
      this.#set("lost", "its Lease was deleted by somebody; everything was put back");
    } catch (error) {
      this.#set("failed", LocalizerError.from(error).message);
    }
  }

  /**
   * Puts everything back, from wherever it is. May be called again after it failed; and while it runs: then the latest call
   * says how, and all of them end with it.
   * @throws LocalizerError what could not be put back; the journal then keeps it for the next start
   */
  async stop(options: StopOptions): Promise<void> {
    this.#over.abort(new LocalizerError("aborted", "The exposure was stopped"));
    this.#stop?.turn.abort(new LocalizerError("aborted", "The exposure was stopped once more"));
    const turn = new AbortController();
    const signal = AbortSignal.any([options.signal, turn.signal]);
    const mine = { turn, ended: this.#stopAfter(this.#stop?.ended, { ...options, signal }) };
    this.#stop = mine;
    for (let latest = mine; ; latest = this.#stop) {
      try {
        await latest.ended;
        return;
      } catch (error) {
        if (latest === this.#stop) throw error;
      }
    }
  }

  async #stopAfter(earlier: Promise<void> | undefined, options: StopOptions): Promise<void> {
    await earlier?.catch(() => {});
    // A start has everything to put back first; who has no time for that leaves it to the next start.
    await Promise.race([this.#work, aborted(options.signal)]);
    throwIfAborted(options.signal);
    if (this.#isOver) return;
    if (this.#state !== "lost") {
      this.#set("stopping", "");
      try {
        await this.#end(options);
      } catch (error) {
        this.#set("failed", LocalizerError.from(error).message);
        throw error;
      }
    }
    this.#finish();
  }

  #finish(): void {
    this.#isOver = true;
    this.#onEnd();
  }

  /** Puts back what there is to put back, and lets go. */
  async #end(options: StopOptions): Promise<void> {
    const { record } = this.#holdings;
    const { session, key } = record;
    const owners = endingOwners(record);
    const namespace = namespaceOf(key);
    // Traffic flows until the pod goes, and so the connection stays open until then.
    await whileBeating(this.#components, this.#holdings, this.#settings.renewMs, () =>
      endSession(this.#components, { session, namespace, key, owners }, options),
    );
    await this.release();
    await this.#components.journal.remove(session);
  }

  /** Lets go of what it holds here; what is in the cluster stays. May be called twice. */
  async release(): Promise<void> {
    await this.#holdings.heartbeat?.[Symbol.asyncDispose]();
    await this.#holdings.ssh?.[Symbol.asyncDispose]();
    await Promise.all(this.#wish.sides.map((side) => side[Symbol.asyncDispose]()));
    await this.#holdings.pods[Symbol.asyncDispose]();
  }

  #set(state: SessionState, reason: string): void {
    this.#state = state;
    this.#reason = reason;
  }
}

/** With what stood in the way: what was told last, else what was tried last. */
function lateError(sentence: string, lastWarning: string, cause: LocalizerError): LocalizerError {
  const tried = cause.code === "aborted" || cause.code === "timeout" ? "" : cause.message;
  const why = lastWarning || tried;
  return new LocalizerError("timeout", why === "" ? sentence : `${sentence}; ${why}`, { cause });
}

/** Two ports of the Service may lead to one of the pod: it listens once, and the first of them takes. */
function onePerRemote<T extends { readonly remote: number }>(ports: readonly T[]): readonly T[] {
  return [...new Map([...ports].reverse().map((port) => [port.remote, port])).values()].reverse();
}
