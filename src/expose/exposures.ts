/**
 * expose: local processes stand in for Services. Promises that a workload is changed only when the local process can take its
 * place, that whatever is changed is written down before, and that all of it goes back: with the stop, with the next start, or
 * by whoever looks for what was forgotten. This file owns the sessions of one daemon; the daemon uses it.
 */
import { randomUUID } from "node:crypto";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import type { ServiceKey } from "../model/service-key.ts";
import { crossing } from "./crossing.ts";
import { deadline } from "./deadline.ts";
import type { ExposeWish, ExposuresComponents, ExposuresSettings } from "./exposures-parts.ts";
import { LineFeed } from "./line-feed.ts";
import { localListeners } from "./local-listeners.ts";
import { makeOwnersRoom, makeRoom } from "./make-room.ts";
import { planLines } from "./plan-lines.ts";
import { podOptions } from "./pod-options.ts";
import { isProtected } from "./protected-context.ts";
import { recordedOwner, type SessionRecord } from "./records.ts";
import { Recovery } from "./recovery.ts";
import type { ExposeLine, Report } from "./report.ts";
import { Retries } from "./retries.ts";
import { Session } from "./session.ts";
import type { SessionSettings } from "./session-parts.ts";
import type { SessionView } from "./session-view.ts";
import { endSentence, staysAtZero } from "./shared-owners.ts";
import { givenBack } from "./start-trouble.ts";

/** The exposures of one daemon. Disposing ends all of them, in the time that the settings give. */
export class Exposures implements AsyncDisposable {
  readonly #components: ExposuresComponents;
  readonly #settings: ExposuresSettings;
  readonly #sessions = new Map<ServiceKey, Session>();
  /** What is looked at before there is a session, by Service; a stop ends it. */
  readonly #beginning = new Map<ServiceKey, { readonly stop: AbortController; readonly over: Promise<void> }>();
  readonly #retries: Retries;
  readonly #recovery: Recovery;
  readonly #over = new AbortController();

  constructor(components: ExposuresComponents, settings: ExposuresSettings) {
    this.#components = components;
    this.#settings = settings;
    this.#retries = new Retries(components);
    const { server, holder, stopMs: limitMs } = settings;
    const [{ signal }, retries] = [this.#over, this.#retries];
    this.#recovery = new Recovery(components, { server, holder, limitMs, signal, retries });
  }

  /** Those that there are, in any order. */
  get views(): readonly SessionView[] {
    return [...this.#sessions.values()].map(({ view }) => view);
  }

  /** What earlier daemons have left and could not be put back yet, a sentence each. It is tried again and again. */
  get notices(): readonly string[] {
    return this.#recovery.notices;
  }

  /**
   * Exposes; the lines end when traffic can flow. Goes on whether or not they are read.
   * @returns lines, which throw LocalizerError when it cannot be exposed; everything is back then
   */
  expose(wish: ExposeWish): AsyncIterable<ExposeLine> {
    const feed = new LineFeed();
    void feed.follow((report) => this.#expose(wish, report));
    return feed;
  }

  /**
   * Stops exposing; the lines end when all is back. What an earlier daemon has left of it is put back, too.
   * @param options.wait whether to wait for the workload to be ready before our pod goes
   * @param options.session which one is meant; empty: whichever there is
   * @returns lines, which throw LocalizerError `not-found` when it is not exposed here, else what could not be put back
   */
  stop(
    key: ServiceKey,
    { wait, session: wanted = "" }: { readonly wait: boolean; readonly session?: string },
  ): AsyncIterable<ExposeLine> {
    const feed = new LineFeed();
    void feed.follow(async (report) => {
      // What only begins has no session that anybody could mean.
      const beginning = wanted === "" ? this.#beginning.get(key) : undefined;
      const now = this.#sessions.get(key);
      if (beginning === undefined && now === undefined) {
        if (!(await this.#recovery.endNow(key, { session: wanted, report }))) {
          throw new LocalizerError("not-found", `Cannot stop exposing "${key}": this daemon does not expose it`);
        }
        report({ level: "info", step: "ended", message: `"${key}" is not exposed any more` });
        return;
      }
      if (wanted !== "" && now?.id !== wanted) {
        throw new LocalizerError("not-found", `Cannot stop exposing "${key}": it is exposed anew by now`);
      }
      // At once: a start may have much to put back before there is more to say.
      report({ level: "info", step: "scale-back", message: `Giving "${key}" back` });
      beginning?.stop.abort(givenBack(key));
      await beginning?.over;
      const session = this.#sessions.get(key);
      if (session === undefined) {
        report({ level: "info", step: "ended", message: `"${key}" was not exposed yet` });
        return;
      }
      const waitMs = wait ? this.#settings.readyMs : 0;
      const shared = staysAtZero(session.view, this.views);
      if (shared !== undefined) {
        const message = `${shared}; "${key}" has none of its pods until then`;
        report({ level: "warn", step: "scale-back", message });
      }
      // Only another way back ends it before its time.
      const { signal } = new AbortController();
      await session.stop({ report, signal, waitMs, limitMs: waitMs + this.#settings.stopMs });
      report({ level: "info", step: "ended", message: endSentence(session.view, session.lost, this.views) });
    });
    return feed;
  }

  /**
   * Puts back what killed daemons have left, as their journals say. What fails is told by `notices`, and tried again for as long
   * as the daemon lives. Resolves when all was tried once. Never rejects.
   */
  async recover(): Promise<void> {
    await this.#recovery.run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort(new LocalizerError("aborted", "Stopped"));
    await this.#retries[Symbol.asyncDispose]();
    const { log } = this.#components;
    const { endMs } = this.#settings;
    using limit = deadline(this.#components.clock, endMs, "Cannot end the exposures in time");
    await Promise.all(
      [...this.#sessions.values()].map(async (session) => {
        const { key } = session;
        const report: Report = ({ level, message }) => log[level](message, { key });
        log.info("Ending the exposure", { key });
        try {
          await session.stop({ report, signal: limit.signal, waitMs: endMs / 2, limitMs: endMs, together: true });
        } catch (error) {
          log.error("The exposure could not be put back; the next start tries again", { key, error });
        }
      }),
    );
  }

  async #expose(wish: ExposeWish, report: Report): Promise<void> {
    const { key } = wish;
    const { contextName, clusterName, version } = this.#settings;
    if (isProtected(contextName, clusterName) && !wish.isConfirmed && !wish.dryRun) {
      const what = `Cannot expose "${key}": context "${contextName}" (cluster "${clusterName}") is a protected one`;
      throw new LocalizerError("conflict", `${what}; if you mean it, the same command with --yes does it`);
    }
    const before = this.#sessions.get(key);
    if (this.#beginning.has(key) || before?.lost === "") {
      const command = `localizer expose --stop ${key}`;
      throw new LocalizerError("conflict", `"${key}" is exposed by this daemon already; \`${command}\` ends that`);
    }
    const stop = new AbortController();
    const over = Promise.withResolvers<void>();
    this.#beginning.set(key, { stop, over: over.promise });
    let session: Session | undefined;
    try {
      const pod = { ...wish.pod, image: wish.pod.image || this.#settings.image || "" };
      const signal = AbortSignal.any([this.#over.signal, stop.signal]);
      if (before !== undefined && !wish.dryRun) await this.#dropLost(before, { signal, report });
      session = await this.#begin(wish, podOptions(pod, version), { signal, report });
    } catch (thrown) {
      // Whoever stops it has the first word.
      throw stop.signal.aborted ? stop.signal.reason : thrown;
    } finally {
      this.#beginning.delete(key);
      over.resolve();
    }
    if (session === undefined) return;
    await session.start(report);
    const { ports } = session.view;
    const ways = ports.map(({ local, servicePort }) => `port ${servicePort} leads to localhost:${local}`);
    report({ level: "info", step: "exposed", message: `"${key}" is exposed: ${ways.join(", ")}` });
  }

  /** Undefined for a dry run, which is over then. */
  async #begin(
    wish: ExposeWish,
    pod: SessionSettings["pod"],
    { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
  ): Promise<Session | undefined> {
    const { key, dryRun } = wish;
    const { contextName, holder, version } = this.#settings;
    report({ level: "info", step: "preflight", message: `Looking at "${key}" in context "${contextName}"` });
    const { server } = this.#settings;
    const room = { server, holder, takeOver: wish.takeOver, signal, report };
    await makeRoom(this.#components, key, { ...room, dryRun });
    let plan = await this.#components.preflight(wish, signal);
    // One that is lost may still be here for its user to hear of it.
    const serving = () => [...this.#sessions.values()].filter(({ isServing }) => isServing);
    const mates = () => serving().map(({ id }) => id);
    if (!dryRun && (await makeOwnersRoom(this.#components, plan, { ...room, mates: mates() }))) {
      plan = await this.#components.preflight(wish, signal);
    }
    // From here to the session's place among the others nothing is waited for.
    for (const other of serving()) {
      const why = crossing(plan, other.plan);
      if (why !== undefined) throw new LocalizerError("conflict", `Cannot expose "${key}": ${why}`);
    }
    for (const line of planLines(plan)) report(line);
    const record: SessionRecord = {
      session: randomUUID(),
      key,
      holder,
      since: new Date(this.#components.clock.now()).toISOString(),
      phase: "starting",
      owners: plan.owners.map(recordedOwner),
      version,
    };
    const sides = plan.ports.map((port) => this.#components.openSide(port));
    const beforeLabels = localListeners(this.#components.clock, sides, { isAwaited: wish.awaitLocal === true });
    const session: Session = new Session(
      this.#components,
      { ...this.#settings, pod },
      { plan, record, sides, mates, beforeLabels },
      {
        onEnd: () => {
          if (this.#sessions.get(key) === session) this.#sessions.delete(key);
        },
        onLeft: (how) => this.#retries.start(session.id, (over) => session.tryAgain(over), how),
      },
    );
    if (!dryRun) {
      throwIfAborted(signal);
      this.#sessions.set(key, session);
      return session;
    }
    try {
      const { added, unknown } = await session.rehearse();
      for (const message of [...added, ...unknown]) report({ level: "warn", step: "pod", message });
      const message =
        unknown.length === 0 ? "The cluster would allow it" : "What the cluster can tell before allows it";
      report({ level: "info", step: "ended", message });
    } finally {
      await session.release();
    }
    return undefined;
  }

  /** What it has left goes back first. */
  async #dropLost(
    session: Session,
    { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
  ): Promise<void> {
    const { key, lost } = session;
    const message = `Putting back what is left of "${key}", which was no exposure of this daemon any more: ${lost}`;
    report({ level: "info", step: "preflight", message });
    await session.stop({ report, signal, waitMs: 0, limitMs: this.#settings.stopMs });
  }
}
