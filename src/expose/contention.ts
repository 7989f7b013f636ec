/**
 * Whether the Service leads to our pod alone, and what is done when it does not: owners that somebody sets to more are set to 0 again, a few
 * times; those that have come since are recorded and set to 0 as at the start, where that is safe. Else it is said who answers, too.
 */
import { type BackoffOptions, backoffMs } from "../backoff.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import type { EndpointSlice } from "../kube/endpoint-slice.ts";
import { serviceNameLabel } from "../kube/endpoint-slice.ts";
import type { Followed } from "../kube/object-cache.ts";
import { nameObject } from "../kube/scalable-owner.ts";
import { sliceKind } from "../kube/service-watches.ts";
import { nameOf, namespaceOf } from "../model/service-key.ts";
import { unlessUnsupported } from "./dry-run.ts";
import { type PlannedOwner, partialLoss, volumeLoss } from "./plan.ts";
import { quotedList } from "./quoted-list.ts";
import { type RecordedOwner, recordedOwner } from "./records.ts";
import type { Report } from "./report.ts";
import { describeOwner, heldOwner, scaleDown } from "./scale.ts";
import { isPodOf } from "./session-manifests.ts";
import type { SessionComponents, SessionHoldings, SessionSettings } from "./session-parts.ts";
import { scaleOwners, writeRecord } from "./session-start.ts";

/** So often in a row an owner is set to 0 again. */
const maxTries = 3;
const pace: BackoffOptions = { baseMs: 1_000, factor: 4, capMs: 30_000 };
/** After so long at 0 it counts from the beginning. */
const peaceMs = 10 * 60_000;
/** Between two looks at who stands behind the Service; pods that are being deleted leave it sooner. */
const lookEveryMs = 2_000;

/** An owner that is not at 0. */
interface Risen {
  readonly owner: RecordedOwner;
  readonly writer: string;
  readonly replicas: number;
}

/** A pod that the Service leads to and that is none of this process. */
interface OtherPod {
  readonly name: string;
  readonly uid: string;
}

/** Watches for other pods behind the Service, from its making to its disposal. */
export class Contention implements AsyncDisposable {
  readonly #components: SessionComponents;
  readonly #settings: SessionSettings;
  readonly #holdings: SessionHoldings;
  readonly #slices: Followed<EndpointSlice>;
  #tries = 0;
  /** Since when the owners were seen at 0 and nothing else. */
  #peaceSinceMs: number | undefined;
  /** No earlier than this is anything done about a risen owner. */
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  /** No earlier than this newcomers are looked for. */
  #lookAtMs = Number.NEGATIVE_INFINITY;
  /** When it wants to be asked again; undefined: when something happens. */
  #wakeMs: number | undefined;
  /** Pods of others at the latest look; who stays, and has no owner that can be scaled, is named. */
  #seen: ReadonlySet<string> = new Set();
  #refusal: string | undefined;
  #beside = "";

  constructor(components: SessionComponents, settings: SessionSettings, holdings: SessionHoldings) {
    this.#components = components;
    this.#settings = settings;
    this.#holdings = holdings;
    const { key } = holdings.record;
    const labelSelector = `${serviceNameLabel}=${nameOf(key)}`;
    this.#slices = components.cache.follow(sliceKind, { namespace: namespaceOf(key), labelSelector });
  }

  /** Tells when the Service's pods change. */
  onChange(listener: () => void): Disposable {
    return this.#slices.onChange(listener);
  }

  /** Says whether the Service leads to ready pods beside the session's own. */
  get isMixed(): boolean {
    return this.#others().length > 0;
  }

  /** How long it may be left alone; 0 when a pause has run out. */
  get restMs(): number {
    if (this.#wakeMs === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.#wakeMs - this.#components.clock.monotonic());
  }

  /** Which pods answer beside the local process, though nobody contends: a sentence, or nothing. */
  get beside(): string {
    return this.#beside;
  }

  /**
   * Looks at the owners and sets them to 0 again, a few times. Gives who is in the way when that is over, or cannot be; undefined when
   * all is well, or is being mended.
   * @throws LocalizerError as the API says no
   */
  async settle(signal: AbortSignal, report: Report): Promise<string | undefined> {
    const { clock, random = Math.random } = this.#components;
    this.#wakeMs = undefined;
    const { risen, isLost } = await this.#look(signal);
    const [first] = risen;
    const refusal = isLost || first === undefined ? await this.#newcomers(signal, report) : undefined;
    if (first === undefined) return refusal;
    const nowMs = clock.monotonic();
    if (nowMs < this.#notBeforeMs) {
      this.#wakeAt(this.#notBeforeMs);
      return refusal;
    }
    const by = first.writer === "" ? "somebody" : `"${first.writer}"`;
    const sentence = `${describeOwner(first.owner)} was set to ${first.replicas} by ${by}`;
    if (this.#tries >= maxTries) return `${sentence}; set to 0 again ${maxTries} times, now left alone`;
    report({ level: "warn", step: "scale-down", message: `${sentence}; setting it to 0 again` });
    this.#notBeforeMs = nowMs + backoffMs(this.#tries, pace, random);
    this.#wakeAt(this.#notBeforeMs);
    this.#tries++;
    const owners = risen.map(({ owner }) => owner);
    await scaleOwners(this.#components, this.#settings, this.#holdings, owners, { signal, report });
    this.#peaceSinceMs = clock.monotonic();
    return refusal;
  }

  /** For when it is not mixed: looks whether peace lasts, as long as that counts. Throws as the API. */
  async rest(signal: AbortSignal): Promise<void> {
    this.#wakeMs = undefined;
    this.#seen = new Set();
    this.#refusal = undefined;
    this.#beside = "";
    if (this.#tries > 0) await this.#look(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#slices[Symbol.asyncDispose]();
  }

  #wakeAt(ms: number): void {
    this.#wakeMs = Math.min(this.#wakeMs ?? ms, ms);
  }

  /** A Service beside, exposed by this process too, may select by the same labels: its pod leads to the same local ports (see crossing). */
  #others(): readonly OtherPod[] {
    const mates = this.#holdings.mates();
    const isStrange = (pod: OtherPod) => !own.has(pod.uid) && !mates.some((session) => isPodOf(session, pod.name));
    const own = new Set(this.#holdings.pods.objects.list().map(({ uid }) => uid));
    const others = new Map<string, OtherPod>();
    for (const { endpoints } of this.#slices.objects.list()) {
      for (const { ready, terminating, pod } of endpoints) {
        if (ready && !terminating && pod !== undefined && isStrange(pod)) others.set(pod.uid, pod);
      }
    }
    return [...others.values()];
  }

  /** How the owners are, and what that means for the count: only peace that was seen sets it back. */
  async #look(signal: AbortSignal): Promise<{ readonly risen: readonly Risen[]; readonly isLost: boolean }> {
    const { record } = this.#holdings;
    const risen: Risen[] = [];
    let isLost = false;
    for (const owner of record.owners) {
      const now = await heldOwner(this.#components, owner, record.session, signal);
      if (now === undefined) isLost = true;
      else if (now.replicas > 0) risen.push({ owner, writer: now.writer, replicas: now.replicas });
    }
    const nowMs = this.#components.clock.monotonic();
    if (this.#peaceSinceMs !== undefined && nowMs - this.#peaceSinceMs > peaceMs) this.#tries = 0;
    this.#peaceSinceMs = risen.length > 0 ? undefined : (this.#peaceSinceMs ?? nowMs);
    return { risen, isLost };
  }

  /** Who has come to stand behind the Service since it was exposed. Gives who must be left there, and why. */
  async #newcomers(signal: AbortSignal, report: Report): Promise<string | undefined> {
    const { clock } = this.#components;
    if (clock.monotonic() < this.#lookAtMs) {
      this.#wakeAt(this.#lookAtMs);
      return this.#refusal;
    }
    const { plan, record } = this.#holdings;
    const known = new Set(record.owners.map(({ uid }) => uid));
    const found = await this.#components.findOwners({ ...plan, known: record.owners }, signal);
    const news = found.owners.filter(({ uid, replicas }) => !known.has(uid) && replicas > 0);
    const refused: string[] = found.closed.map((who) => `pods of ${who}, answer beside the local process`);
    const taken: PlannedOwner[] = [];
    for (const owner of news) {
      const why = await this.#whyNot(owner, signal);
      if (why === undefined) taken.push(owner);
      else refused.push(`${describeOwner(owner)} answers beside the local process: ${why}`);
    }
    if (taken.length > 0) await this.#take(taken, signal, report);
    this.#refusal = refused.length > 0 ? refused.join("; ") : undefined;
    const others = this.#others();
    const strangers = taken.length > 0 || refused.length > 0 ? [] : others.filter(({ uid }) => this.#seen.has(uid));
    this.#beside = besideSentence(strangers.map(({ name }) => name));
    this.#lookAtMs = clock.monotonic() + lookEveryMs;
    // Once more, for those that were there for the first time; then with the session's own rounds.
    if (others.some(({ uid }) => !this.#seen.has(uid))) this.#wakeAt(this.#lookAtMs);
    this.#seen = new Set(others.map(({ uid }) => uid));
    return this.#refusal;
  }

  /** As preflight and the rehearsal ask before a start. */
  async #whyNot(owner: PlannedOwner, signal: AbortSignal): Promise<string | undefined> {
    const { plan, record, mates } = this.#holdings;
    if (owner.losesVolumes === true && plan.allowsVolumeLoss !== true) {
      return `${volumeLoss(nameObject(owner))}; give back, and expose again with --allow-volume-loss`;
    }
    if (owner.partlyServed === true && plan.allowsPartial !== true) {
      return `${partialLoss(nameObject(owner))}; give back, and expose again with --allow-partial`;
    }
    const by = { session: record.session, holder: record.holder, mates: mates() };
    try {
      await unlessUnsupported(() => scaleDown(this.#components, recordedOwner(owner), by, { signal, dryRun: true }));
      return undefined;
    } catch (thrown) {
      const isPassing = ["unavailable", "timeout", "aborted"].includes(codeOf(thrown));
      if (isPassing || signal.aborted) throw thrown;
      return LocalizerError.from(thrown).message;
    }
  }

  /** They are recorded before they are changed; one that was made anew takes the place of the old one. */
  async #take(news: readonly PlannedOwner[], signal: AbortSignal, report: Report): Promise<void> {
    const holdings = this.#holdings;
    const { plan, record } = holdings;
    const adopters = news.filter(({ adopts }) => adopts).map(nameObject);
    // The next pod is made so that they leave it alone.
    if (adopters.length > 0) holdings.plan = { ...plan, adopters: [...(plan.adopters ?? []), ...adopters] };
    for (const owner of news) {
      const message = `${describeOwner(owner)} has come to stand behind the Service; setting it to 0`;
      report({ level: "warn", step: "scale-down", message });
    }
    const recorded = news.map(recordedOwner);
    const anew = new Set(recorded.map(describeOwner));
    const owners = [...record.owners.filter((owner) => !anew.has(describeOwner(owner))), ...recorded];
    await writeRecord(this.#components, this.#settings, holdings, { owners }, signal);
    await scaleOwners(this.#components, this.#settings, holdings, recorded, { signal, report });
  }
}

function besideSentence(names: readonly string[]): string {
  if (names.length === 0) return "";
  return `${names.length === 1 ? "pod" : "pods"} ${quotedList(names)} ${names.length === 1 ? "answers" : "answer"} beside the local process`;
}
