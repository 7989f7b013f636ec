/** Whether the owners are still at 0, and what is done when somebody sets them to more: a few tries, then it is said who. */
import { type BackoffOptions, backoffMs } from "../backoff.ts";
import type { EndpointSlice } from "../kube/endpoint-slice.ts";
import { serviceNameLabel } from "../kube/endpoint-slice.ts";
import type { Followed } from "../kube/object-cache.ts";
import { sliceKind } from "../kube/service-watches.ts";
import { nameOf, namespaceOf } from "../model/service-key.ts";
import { type RecordedOwner, recordedOwner } from "./records.ts";
import type { Report } from "./report.ts";
import { describeOwner, heldOwner } from "./scale.ts";
import type { SessionComponents, SessionHoldings, SessionSettings } from "./session-parts.ts";
import { scaleOwners, writeRecord } from "./session-start.ts";

/** So often in a row an owner is set to 0 again. */
const maxTries = 3;
const pace: BackoffOptions = { baseMs: 1_000, factor: 4, capMs: 30_000 };
/** After so long in peace it counts from the beginning. */
const peaceMs = 10 * 60_000;

/** Watches for other pods behind the Service, from its making to its disposal. */
export class Contention implements AsyncDisposable {
  readonly #components: SessionComponents;
  readonly #settings: SessionSettings;
  readonly #holdings: SessionHoldings;
  readonly #slices: Followed<EndpointSlice>;
  #tries = 0;
  #lastMs = Number.NEGATIVE_INFINITY;
  /** No earlier than this is anything done about it. */
  #notBeforeMs = Number.NEGATIVE_INFINITY;

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
    const own = new Set(this.#holdings.pods.objects.list().map(({ uid }) => uid));
    return this.#slices.objects
      .list()
      .some(({ endpoints }) =>
        endpoints.some(
          ({ ready, terminating, pod }) => ready && !terminating && pod !== undefined && !own.has(pod.uid),
        ),
      );
  }

  /** How long it may be left alone. */
  get restMs(): number {
    const restMs = this.#notBeforeMs - this.#components.clock.monotonic();
    return restMs > 0 ? restMs : Number.POSITIVE_INFINITY;
  }

  /**
   * Looks at the owners and sets them to 0 again, a few times. Gives who is in the way when that is over; undefined when all
   * is well, or is being mended.
   * @throws LocalizerError as the API says no
   */
  async settle(signal: AbortSignal, report: Report): Promise<string | undefined> {
    const { clock, random = Math.random } = this.#components;
    const { record } = this.#holdings;
    const risen: { readonly owner: RecordedOwner; readonly writer: string; readonly replicas: number }[] = [];
    let isLost = false;
    for (const owner of record.owners) {
      const now = await heldOwner(this.#components, owner, record.session, signal);
      if (now === undefined) isLost = true;
      else if (now.replicas > 0) risen.push({ owner, writer: now.writer, replicas: now.replicas });
    }
    if (isLost) await this.#adopt(signal, report);
    const [first] = risen;
    if (first === undefined) return undefined;
    const nowMs = clock.monotonic();
    if (nowMs - this.#lastMs > peaceMs) this.#tries = 0;
    if (nowMs < this.#notBeforeMs) return undefined;
    const by = first.writer === "" ? "somebody" : `"${first.writer}"`;
    const sentence = `${describeOwner(first.owner)} was set to ${first.replicas} by ${by}`;
    if (this.#tries >= maxTries) return `${sentence}; set to 0 again ${maxTries} times, now left alone`;
    report({ level: "warn", step: "scale-down", message: `${sentence}; setting it to 0 again` });
    this.#lastMs = nowMs;
    this.#notBeforeMs = nowMs + backoffMs(this.#tries, pace, random);
    this.#tries++;
    const owners = risen.map(({ owner }) => owner);
    await scaleOwners(this.#components, this.#settings, this.#holdings, owners, { signal, report });
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#slices[Symbol.asyncDispose]();
  }

  /** An owner was made anew: the one that is there now takes its place, and is recorded before it is changed. */
  async #adopt(signal: AbortSignal, report: Report): Promise<void> {
    const { plan, record } = this.#holdings;
    const known = new Set(record.owners.map(({ uid }) => uid));
    const found = await this.#components.findOwners(plan, signal);
    const news = found.filter(({ uid }) => !known.has(uid)).map(recordedOwner);
    if (news.length === 0) return;
    const gone = new Set(news.map((owner) => describeOwner(owner)));
    const owners = [...record.owners.filter((owner) => !gone.has(describeOwner(owner))), ...news];
    await writeRecord(this.#components, this.#settings, this.#holdings, { owners }, signal);
    await scaleOwners(this.#components, this.#settings, this.#holdings, news, { signal, report });
  }
}
