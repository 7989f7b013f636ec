/**
 * expose: local processes stand in for Services. Promises that a workload is changed only when the local process can take its
 * place, that whatever is changed is written down before, and that all of it goes back: with the stop, with the next start, or
 * by whoever looks for what was forgotten. This file owns the sessions of one daemon; the daemon uses it.
 */
import { randomUUID } from "node:crypto";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import type { ServiceKey } from "../model/service-key.ts";
import { newClaim } from "./claim.ts";
import { crossing } from "./crossing.ts";
import { deadline } from "./deadline.ts";
import { endDead } from "./forgotten.ts";
import { LineFeed } from "./line-feed.ts";
import type { LocalSide } from "./local-side.ts";
import type { ExposedPort, ExposePlan } from "./plan.ts";
import { planLines } from "./plan-lines.ts";
import { type PodWish, podOptions } from "./pod-options.ts";
import { isProtected } from "./protected-context.ts";
import { endRecorded } from "./recorded-sessions.ts";
import { recordedOwner, type SessionRecord } from "./records.ts";
import type { ExposeLine, Report } from "./report.ts";
import { Session, type SessionView } from "./session.ts";
import { heldSentence, isAlive, leaseRef, seeLease } from "./session-lease.ts";
import type { SessionComponents, SessionSettings } from "./session-parts.ts";
import type { SearchComponents } from "./suspects.ts";

/** What is wished for. */
export interface ExposeWish {
  readonly key: ServiceKey;
  /** "8080:80", "8080:http" or "8080" each; see port-map. */
  readonly maps: readonly string[];
  /** Say all, check all, change nothing. */
  readonly dryRun: boolean;
  /** The user knows that the cluster is protected. */
  readonly isConfirmed: boolean;
  /** End somebody else's session, if that gives no sign of life. */
  readonly takeOver: boolean;
  /** Scale down a StatefulSet whose volumes go with its pods. */
  readonly allowVolumeLoss: boolean;
  readonly pod: Partial<PodWish>;
}

/** What exposures are made from. */
export interface ExposuresComponents extends SessionComponents, SearchComponents {
  /** Everything that is known before anything is changed. @throws LocalizerError when it cannot be, or must not be, exposed */
  readonly preflight: (
    wish: Pick<ExposeWish, "key" | "maps" | "allowVolumeLoss">,
    signal: AbortSignal,
  ) => Promise<ExposePlan>;
  readonly openSide: (port: Pick<ExposedPort, "local" | "remote">) => LocalSide;
}

/** What they are set to. */
export interface ExposuresSettings extends Omit<SessionSettings, "pod"> {
  readonly contextName: string;
  readonly clusterName: string;
  /** `user@host`. */
  readonly holder: string;
  /** Of the pod, where a wish names none. */
  readonly image?: string | undefined;
  /** Of localizer. */
  readonly version: string;
  /** How long a workload may take to become ready when its exposure is stopped. */
  readonly readyMs: number;
  /** The same at the daemon's end, for all exposures together. */
  readonly endMs: number;
}

/** How long an end may take beside the workload's readiness. */
const stopMs = 60_000;

/** The exposures of one daemon. Disposing ends all of them, in the time that the settings give. */
export class Exposures implements AsyncDisposable {
  readonly #components: ExposuresComponents;
  readonly #settings: ExposuresSettings;
  readonly #sessions = new Map<ServiceKey, Session>();
  /** What is looked at before there is a session, by Service; a stop ends it. */
  readonly #beginning = new Map<ServiceKey, { readonly stop: AbortController; readonly over: Promise<void> }>();
  readonly #over = new AbortController();

  constructor(components: ExposuresComponents, settings: ExposuresSettings) {
    this.#components = components;
    this.#settings = settings;
  }

  /** Those that there are, in any order. */
  get views(): readonly SessionView[] {
    return [...this.#sessions.values()].map(({ view }) => view);
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
   * Stops exposing; the lines end when all is back.
   * @param options.wait whether to wait for the workload to be ready before our pod goes
   * @returns lines, which throw LocalizerError `not-found` when it is not exposed here, else what could not be put back
   */
  stop(key: ServiceKey, { wait }: { readonly wait: boolean }): AsyncIterable<ExposeLine> {
    const feed = new LineFeed();
    void feed.follow(async (report) => {
      const beginning = this.#beginning.get(key);
      beginning?.stop.abort(new LocalizerError("aborted", "The exposure was stopped"));
      await beginning?.over;
      const session = this.#sessions.get(key);
      if (session === undefined && beginning !== undefined) {
        report({ level: "info", step: "ended", message: `"${key}" was not exposed yet` });
        return;
      }
      if (session === undefined) {
        throw new LocalizerError("not-found", `Cannot stop exposing "${key}": this daemon does not expose it`);
      }
      const waitMs = wait ? this.#settings.readyMs : 0;
      using limit = this.#deadline(waitMs + stopMs, `Cannot stop exposing "${key}" in time`);
      await session.stop({ report, signal: limit.signal, waitMs });
      report({ level: "info", step: "ended", message: `"${key}" is as it was before` });
    });
    return feed;
  }

  /** Puts back what killed daemons of this machine have left, as their journals say. Gives a sentence for each failure. */
  async recover(): Promise<readonly string[]> {
    const { journal, log } = this.#components;
    const failures: string[] = [];
    const onUnreadable = (path: string, error: unknown) => {
      failures.push(`Cannot read the journal "${path}" of an exposure: ${LocalizerError.from(error).message}`);
    };
    for (const { record } of await journal.dead(this.#settings.server, onUnreadable)) {
      const { key } = record;
      log.info("Putting back what an earlier daemon has left", { key, session: record.session });
      try {
        await this.#endRecorded(record, ({ level, message }) => log[level](message, { key }));
      } catch (error) {
        failures.push(`Cannot put back "${key}": ${LocalizerError.from(error).message}`);
      }
    }
    return failures;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort(new LocalizerError("aborted", "Stopped"));
    const { log } = this.#components;
    const { endMs } = this.#settings;
    using limit = this.#deadline(endMs, "Cannot end the exposures in time");
    await Promise.all(
      [...this.#sessions.values()].map(async (session) => {
        const { key } = session;
        const report: Report = ({ level, message }) => log[level](message, { key });
        log.info("Ending the exposure", { key });
        try {
          await session.stop({ report, signal: limit.signal, waitMs: endMs / 2 });
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
      const command = `localizer expose ${key} --yes`;
      const sentence = `Context "${contextName}" (cluster "${clusterName}") is a protected one: expose with \`${command}\` if you mean it`;
      throw new LocalizerError("conflict", sentence);
    }
    if (this.#sessions.has(key) || this.#beginning.has(key)) {
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
      session = await this.#begin(wish, podOptions(pod, version), { signal, report });
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
    await this.#makeRoom(wish, signal, report);
    const plan = await this.#components.preflight(wish, signal);
    for (const other of this.#sessions.values()) {
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
    const mates = () => [...this.#sessions.values()].map(({ id }) => id);
    const session: Session = new Session(
      this.#components,
      { ...this.#settings, pod },
      { plan, record, sides, mates },
      () => {
        if (this.#sessions.get(key) === session) this.#sessions.delete(key);
      },
    );
    if (!dryRun) {
      throwIfAborted(signal);
      this.#sessions.set(key, session);
      return session;
    }
    try {
      await session.rehearse();
    } finally {
      await session.release();
    }
    report({ level: "info", step: "ended", message: "The cluster would allow it" });
    return undefined;
  }

  /** Somebody else may hold the Service: a dead daemon of this machine, a colleague who is gone, or one who is there. */
  async #makeRoom({ key, takeOver, dryRun }: ExposeWish, signal: AbortSignal, report: Report): Promise<void> {
    const { objects, clock, journal } = this.#components;
    const lease = await seeLease(objects, leaseRef(key), signal);
    if (lease === undefined) return;
    const held = new LocalizerError("conflict", heldSentence(key, lease, new Date(clock.now())));
    if (dryRun) throw held;
    const own = (await journal.dead(this.#settings.server, () => {})).find(
      ({ record }) => record.session === lease.session,
    );
    if (own !== undefined) {
      report({
        level: "info",
        step: "preflight",
        message: "Putting back what an earlier daemon of this machine has left",
      });
      await this.#endRecorded(own.record, report);
      return;
    }
    if (!takeOver) {
      throw new LocalizerError("conflict", `${held.message}; if it is not there any more, --take-over ends it`);
    }
    const seconds = Math.round(lease.durationMs / 1_000);
    const message = `Waiting up to ${seconds} s for a sign of life of ${lease.holder || "the holder"}`;
    report({ level: "info", step: "preflight", message });
    if (await isAlive(this.#components, lease, signal)) throw held;
    report({
      level: "warn",
      step: "preflight",
      message: `Taking over from ${lease.holder || "the holder"}, who gives no sign of life`,
    });
    using limit = this.#deadline(stopMs, `Cannot put back what ${lease.holder} has left`);
    const by = newClaim(this.#settings.holder);
    if (!(await endDead(this.#components, lease, key, { signal: limit.signal, report, waitMs: 0, by }))) throw held;
  }

  async #endRecorded(record: SessionRecord, report: Report): Promise<void> {
    const { holder } = this.#settings;
    await endRecorded(this.#components, record, { holder, signal: this.#over.signal, report, limitMs: stopMs });
  }

  #deadline(ms: number, action: string) {
    return deadline(this.#components.clock, ms, action);
  }
}
