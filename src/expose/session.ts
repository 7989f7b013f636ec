/** One exposure from its beginning to its end: starts, is kept, and puts everything back, whatever happens in between. */
import { unlessAborted } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import type { ServiceKey } from "../model/service-key.ts";
import { deadlineError } from "./deadline.ts";
import { endOwn } from "./end-own.ts";
import { lastLocalAnswers } from "./last-local-answers.ts";
import { LatestTurn } from "./latest-turn.ts";
import { newHoldings, releaseHoldings } from "./new-holdings.ts";
import type { ExposePlan } from "./plan.ts";
import { endRecorded } from "./recorded-sessions.ts";
import { type Rehearsal, rehearse } from "./rehearsal.ts";
import type { Report } from "./report.ts";
import { type Kept, keepSession } from "./session-keeper.ts";
import type {
  SessionComponents,
  SessionEvents,
  SessionHoldings,
  SessionSettings,
  SessionWish,
  StepOptions,
  StopOptions,
} from "./session-parts.ts";
import type { SessionStage } from "./session-stage.ts";
import { startSession } from "./session-start.ts";
import { type SessionState, type SessionView, viewedPorts } from "./session-view.ts";
import { StartLimit } from "./start-limit.ts";
import { givenBack, StartTrouble } from "./start-trouble.ts";

/** Of a way back that nobody has asked for: from a failed start, or after the Lease was lost. */
const undoing = { limitMs: 120_000, waitMs: 60_000 } as const;

/**
 * One exposure. Made, started once, stopped once or more; what is made is disposed with `stop`.
 *
 * First `#work` runs, the start and then the keeping, until `#over` fires or the exposure is lost. Then ways back run, the latest
 * that was asked for having the turn: `stop` by its user, `tryAgain` by its daemon. A start that fails goes back by itself.
 */
export class Session {
  readonly #components: SessionComponents;
  readonly #settings: SessionSettings;
  readonly #wish: SessionWish;
  readonly #events: SessionEvents;
  readonly #holdings: SessionHoldings;
  /** Ends the start, or the keeping. */
  readonly #over = new AbortController();
  #state: SessionState = "starting";
  #reason = "";
  /** The start, then the keeping; resolves when nothing of it runs. */
  #work: Promise<void> = Promise.resolve();
  /** Of the ways back. */
  readonly #turn = new LatestTurn();
  /** Who wants to hear of a start that is being undone, beside who started. */
  readonly #listeners = new Set<Report>();
  /** Why it is no exposure of this daemon any more, though nobody here has stopped it: it was taken over, or its Lease deleted. */
  #lost = "";
  /** What is still to go back, and how; `#state` is what its user sees. */
  #stage: SessionStage = "own";

  constructor(components: SessionComponents, settings: SessionSettings, wish: SessionWish, events: SessionEvents) {
    this.#components = components;
    this.#settings = settings;
    this.#wish = wish;
    this.#events = events;
    this.#holdings = newHoldings(components, wish);
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

  /** Why it is no exposure of this daemon any more, as a clause; empty as long as it is one. */
  get lost(): string {
    return this.#lost;
  }

  /** Whether its pod may be behind its Service, and lead here. */
  get isServing(): boolean {
    return this.#stage === "own" || this.#stage === "left";
  }

  get view(): SessionView {
    return {
      record: this.#holdings.record,
      state: this.#state,
      reason: this.#reason,
      pod: this.#holdings.pod?.name ?? "",
      ports: viewedPorts(this.#wish),
    };
  }

  /**
   * Has the cluster check all that a start would do; nothing is changed.
   * @throws LocalizerError as the cluster refuses
   */
  async rehearse(): Promise<Rehearsal> {
    return await rehearse(this.#components, this.#settings, this.#holdings, this.#over.signal);
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
    const trouble = new StartTrouble((line) => {
      // What is waited for until the next line is why it is not exposed yet.
      const isWaiting = line.step === "local" && line.level === "info";
      if (this.#state === "starting") this.#reason = isWaiting ? line.message : "";
      for (const each of [tell, ...this.#listeners]) each(line);
    });
    const { report } = trouble;
    const { startMs } = this.#settings;
    const sentence = `Cannot expose "${this.key}": it did not start within ${Math.round(startMs / 1_000)} s`;
    const late = new StartLimit(this.#components.clock, startMs, sentence);
    const beforeLabels = (step: StepOptions) => late.without(async () => this.#wish.beforeLabels?.(step));
    let isMade = false;
    try {
      await this.rehearse();
      isMade = true;
      using _running = late.run();
      const options = { signal: AbortSignal.any([signal, late.signal]), report, beforeLabels };
      await startSession(this.#components, this.#settings, this.#holdings, options);
      this.#set("exposed", "");
    } catch (thrown) {
      // Whoever stops it has the first word.
      const error = LocalizerError.from(signal.aborted ? signal.reason : thrown);
      if (!isMade) {
        await this.release();
        this.#finish();
        throw error;
      }
      const isOver = late.signal.aborted && !signal.aborted;
      throw await this.#undo(isOver ? trouble.lateError(sentence, error) : error, report);
    }
  }

  /** Gives the error to throw. */
  async #undo(error: LocalizerError, report: Report): Promise<LocalizerError> {
    this.#set("stopping", error.message);
    const { signal } = new AbortController();
    try {
      await this.#end({ report, signal, ...undoing });
    } catch (thrown) {
      const left = this.#leave(thrown, signal).message;
      const sentence = `${error.message}; and not everything could be put back: ${left}`;
      return new LocalizerError(error.code, sentence, { cause: error });
    }
    this.#finish();
    return error;
  }

  async #keep(): Promise<void> {
    const { log } = this.#components;
    const { key } = this;
    const onState = (kept: Kept) => {
      if (kept.state !== this.#state) log.info("The exposure has changed", { key, ...kept });
      this.#set(kept.state, kept.reason);
    };
    const { signal } = this.#over;
    const options = { signal, onState, report: this.#logged };
    const end = await keepSession(this.#components, this.#settings, this.#holdings, options);
    if (end === "stopped") return;
    if (end === "taken-over") {
      // Who has it may be about to put back what was ours, or may only have begun to: it is looked after.
      const by = LocalizerError.from(this.#holdings.heartbeat?.lost.reason).message;
      this.#lost = by.replace(/^The /, "the ");
      this.#stage = "let-go";
      this.#set("lost", this.#lost);
      log.warn("The exposure is lost", { key, reason: by });
      await this.release().catch((error: unknown) => log.warn("Cannot let go of the exposure", { key, error }));
    } else {
      this.#lost = "its Lease was deleted by somebody";
      this.#set("stopping", this.#lost);
      log.warn("The Lease of the exposure was deleted; putting everything back", { key });
    }
    this.#events.onLeft({ atOnce: true });
  }

  /**
   * Puts everything back, from wherever it is. May be called again after it failed; and while it runs: then the latest call
   * says how, and all of them end with it.
   * @throws LocalizerError what could not be put back; the journal then keeps it for the next start
   */
  async stop(options: StopOptions): Promise<void> {
    const stopped = options.together === true ? new LocalizerError("aborted", "Stopped") : givenBack(this.key);
    this.#over.abort(stopped);
    await this.#turn.take(options.signal, async (signal) => {
      if (this.#lost === "" && this.#stage !== "ended") this.#set("stopping", "");
      await this.#goBack({ ...options, signal });
      this.#finish();
    });
  }

  /** Puts back what is left, unless somebody is at it: he comes first. Gives whether nothing is left any more. Never rejects. */
  async tryAgain(signal: AbortSignal): Promise<boolean> {
    if (this.#isBack) return true;
    if (!this.#turn.isIdle) return false;
    try {
      await this.#turn.take(signal, async (limited) => {
        await this.#goBack({ report: this.#logged, signal: limited, ...undoing });
        if (this.#lost === "") this.#finish();
        else this.#set("lost", `${this.#lost}; nothing is left of it`);
      });
      return true;
    } catch {
      // The state tells why.
      return false;
    }
  }

  async #goBack(options: StopOptions): Promise<void> {
    this.#listeners.add(options.report);
    try {
      // A start has everything to put back first; who has no time for that leaves it to the next start.
      await unlessAborted(this.#work, options.signal);
      if (!this.#isBack) await this.#end(options);
    } catch (thrown) {
      throw this.#leave(thrown, options.signal);
    } finally {
      this.#listeners.delete(options.report);
    }
  }

  /** Gives the error to throw. One that has made room for another way back leaves nothing, whatever it was at. */
  #leave(thrown: unknown, signal: AbortSignal): LocalizerError {
    const error = deadlineError(thrown, signal);
    if (signal.aborted && codeOf(signal.reason) === "aborted") return error;
    if (this.#stage === "own") this.#stage = "left";
    if (this.#lost === "") this.#set("failed", error.message);
    else this.#set("lost", `${this.#lost}; not everything is put back: ${error.message}`);
    this.#events.onLeft({ atOnce: false });
    return error;
  }

  #finish(): void {
    if (this.#stage === "ended") return;
    this.#stage = "ended";
    this.#events.onEnd();
  }

  get #isBack(): boolean {
    return this.#stage === "back" || this.#stage === "ended";
  }

  /** Puts back what there is to put back, and lets go. */
  async #end(options: StopOptions): Promise<void> {
    if (this.#stage === "own") await this.#endOwn(options);
    else await this.#endLeft(options);
    this.#stage = "back";
  }

  async #endOwn(options: StopOptions): Promise<void> {
    const lastAnswers = (how: StepOptions) => lastLocalAnswers(this.#components.clock, this.#wish.sides, how);
    await endOwn(this.#components, this.#holdings, { ...options, lastAnswers, renewMs: this.#settings.renewMs });
    this.#stage = "let-go";
    await this.release();
    await this.#components.journal.remove(this.id);
  }

  /** By its record: somebody else may be putting it back, and comes first. */
  async #endLeft(options: StopOptions): Promise<void> {
    const { record } = this.#holdings;
    // Who has no connection any more has no traffic to lose.
    const waitMs = this.#stage === "let-go" ? 0 : options.waitMs;
    await endRecorded(this.#components, record, { ...options, waitMs, holder: record.holder });
    await this.release();
  }

  /** Lets go of what it holds here; what is in the cluster stays. May be called twice. */
  async release(): Promise<void> {
    await releaseHoldings(this.#holdings, this.#wish);
  }

  readonly #logged: Report = ({ level, message }) => this.#components.log[level](message, { key: this.key });

  #set(state: SessionState, reason: string): void {
    this.#state = state;
    this.#reason = reason;
  }
}
