/**
 * Keeps a session as it was begun: signs of life, the connection, the pod, the Service's labels, the owners at 0. One round
 * after the other looks at everything and mends what differs, woken by whatever changes; it never fights for long, and before it
 * changes anything after a silence it looks whether the session is still its own.
 */
import { type BackoffOptions, backoffMs } from "../backoff.ts";
import { withTimeout } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import type { Followed } from "../kube/object-cache.ts";
import type { Service, ServicePort } from "../kube/service.ts";
import { serviceKind } from "../kube/service-watches.ts";
import { nameOf, namespaceOf } from "../model/service-key.ts";
import { Bell } from "./bell.ts";
import { Contention } from "./contention.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { NodeSilence } from "./node-silence.ts";
import type { Report } from "./report.ts";
import type { SessionComponents, SessionHoldings, SessionSettings } from "./session-parts.ts";
import { watchedPod } from "./session-pod.ts";
import { connect, isPodLost, makePod } from "./session-start.ts";

/** How a session fares, and why. */
export interface Kept {
  readonly state: "exposed" | "reconnecting" | "contended";
  readonly reason: string;
}

/** Why keeping ended: its signal fired; somebody else holds the Lease; the Lease is gone, and all has to go back. */
export type KeeperEnd = "stopped" | "taken-over" | "lease-gone";

/** What it tells, and when it ends. Neither function may throw. */
export interface KeepOptions {
  readonly signal: AbortSignal;
  readonly onState: (kept: Kept) => void;
  readonly report: Report;
}

const retry: BackoffOptions = { baseMs: 250, factor: 2, capMs: 10_000 };
/** For one try to connect, or to make a pod. */
const tryMs = 60_000;

/** Keeps it until the signal fires, or it is no longer its own. */
export async function keepSession(
  components: SessionComponents,
  settings: SessionSettings,
  holdings: SessionHoldings,
  options: KeepOptions,
): Promise<KeeperEnd> {
  const { clock, random = Math.random, log } = components;
  const { key } = holdings.record;
  const { heartbeat } = holdings;
  if (heartbeat === undefined) return "lease-gone";
  const { onState } = options;
  const signal = AbortSignal.any([options.signal, heartbeat.lost]);
  const bell = new Bell();
  await using follows = new AsyncDisposableStack();
  const where = { namespace: namespaceOf(key), fieldSelector: `metadata.name=${nameOf(key)}` };
  const service = follows.use(components.cache.follow(serviceKind, where));
  const contention = follows.use(new Contention(components, settings, holdings));
  follows.use(holdings.pods.onChange(bell.ring));
  follows.use(service.onChange(bell.ring));
  follows.use(service.onStatus(bell.ring));
  follows.use(contention.onChange(bell.ring));
  const silence = follows.use(new NodeSilence(clock, holdings, bell.ring));
  const rounds = new Rounds(components, settings, {
    ...{ holdings, service, contention, silence, heartbeat, onLost: bell.ring },
    options: { ...options, signal },
  });
  for (let failures = 0; !signal.aborted; ) {
    try {
      onState(await rounds.run());
      failures = 0;
      await bell.wait(clock, rounds.restMs, signal);
    } catch (thrown) {
      if (signal.aborted) break;
      const { message: reason } = LocalizerError.from(thrown);
      log.debug("Cannot keep the exposure as it was", { key, failures, error: thrown });
      onState({ state: "reconnecting", reason });
      await clock.sleep(backoffMs(failures++, retry, random), signal).catch(() => {});
    }
  }
  if (options.signal.aborted) return "stopped";
  return codeOf(heartbeat.lost.reason) === "gone" ? "lease-gone" : "taken-over";
}

interface RoundParts {
  readonly holdings: SessionHoldings;
  readonly service: Followed<Service>;
  readonly contention: Contention;
  readonly silence: NodeSilence;
  readonly heartbeat: Heartbeat;
  readonly options: KeepOptions;
  /** Called when the connection is lost. */
  readonly onLost: () => void;
}

class Rounds {
  readonly #components: SessionComponents;
  readonly #settings: SessionSettings;
  readonly #parts: RoundParts;
  /** The Service's labels that the pod has; undefined as long as it has none. */
  #labels: Readonly<Record<string, string>> | undefined;
  /** Ports that the Service had from the beginning and that could not be exposed: they lead to names that no container has. */
  #unexposed: ReadonlySet<string> | undefined;

  constructor(components: SessionComponents, settings: SessionSettings, parts: RoundParts) {
    this.#components = components;
    this.#settings = settings;
    this.#parts = parts;
    this.#labels = parts.holdings.plan.selector;
    this.#followLoss();
  }

  /** How long it may be left alone if nothing happens. */
  get restMs(): number {
    // The heartbeat renews by itself; a round then hears whether it could.
    return Math.min(this.#parts.heartbeat.restMs, this.#parts.contention.restMs);
  }

  async run(): Promise<Kept> {
    const { holdings, contention, silence, heartbeat, options } = this.#parts;
    const { signal, report, onState } = options;
    const isCut = holdings.ssh?.closed.aborted !== false;
    await heartbeat.beat({ signal, ifDue: true });
    this.#followSelector();
    // As long as it is connected to, its node may be silent.
    if (isPodLost(holdings) || (isCut && silence.gone.aborted)) await this.#podAnew();
    else if (isCut) {
      onState({ state: "reconnecting", reason: LocalizerError.from(holdings.ssh?.closed.reason ?? "").message });
      await this.#renew();
      await this.#within("Cannot connect to the pod", (limited) =>
        this.#connect(AbortSignal.any([limited, silence.gone])),
      );
    }
    await this.#followLabels();
    if (contention.isMixed) {
      // What is scaled is scaled by whoever holds the Lease.
      await this.#renew();
      const reason = await contention.settle(signal, report);
      if (reason !== undefined) return { state: "contended", reason };
    } else await contention.rest(signal);
    const reasons = [this.#serviceReason(), contention.beside].filter((reason) => reason !== "");
    return { state: "exposed", reason: reasons.join("; ") };
  }

  /** Looks who holds the Lease, too. @throws LocalizerError as Heartbeat.beat */
  async #renew(): Promise<void> {
    await this.#parts.heartbeat.beat({ signal: this.#parts.options.signal });
  }

  /** With new keys, and the record untouched. */
  async #podAnew(): Promise<void> {
    const { holdings, silence, options } = this.#parts;
    const { pod: lost, ssh } = holdings;
    const why = isPodLost(holdings) ? "is gone" : "is on a node that does not report any more";
    options.onState({ state: "reconnecting", reason: `Pod "${lost?.name ?? ""}" ${why}, making another one` });
    // Nobody would confirm the end of a pod whose node is silent.
    const force = silence.isSilent && ssh?.closed.aborted !== false;
    const node = watchedPod(holdings)?.state.node ?? "";
    if (force && node !== "") {
      holdings.plan = { ...holdings.plan, pod: { ...holdings.plan.pod, avoidedNode: node } };
    }
    await this.#renew();
    await ssh?.[Symbol.asyncDispose]();
    this.#labels = undefined;
    try {
      await this.#within("Cannot make a pod in place of the one that is gone", async (signal) => {
        // An evicted one stays as an object; nothing of it may be selected.
        await lost?.delete(signal, { force });
        await makePod(this.#components, this.#settings, holdings, { signal, report: options.report });
      });
      this.#labels = holdings.plan.selector;
    } finally {
      // A pod that was not ready in time may be connected to already: the next rounds do what is left.
      silence.look();
      this.#followLoss();
    }
  }

  async #connect(signal: AbortSignal): Promise<void> {
    const { holdings, options } = this.#parts;
    await connect(this.#components, holdings, { signal, report: options.report });
    this.#followLoss();
  }

  #followLoss(): void {
    const { holdings, onLost } = this.#parts;
    holdings.ssh?.closed.addEventListener("abort", onLost, { once: true });
    if (holdings.ssh?.closed.aborted === true) onLost();
  }

  /** The Service may have come to select by other labels; the next pod is made with them, too. */
  #followSelector(): void {
    const { holdings, service } = this.#parts;
    const selector = service.objects.get(holdings.record.key)?.selector;
    if (selector !== undefined) holdings.plan = { ...holdings.plan, selector };
  }

  async #followLabels(): Promise<void> {
    const { holdings, options } = this.#parts;
    const { selector } = holdings.plan;
    const before = this.#labels;
    if (before !== undefined && isSame(selector, before)) return;
    const dropped = Object.keys(before ?? {}).filter((label) => !Object.hasOwn(selector, label));
    const labels = { ...Object.fromEntries(dropped.map((label) => [label, null])), ...selector };
    await holdings.pod?.select(labels, options.signal);
    this.#labels = selector;
    if (before === undefined) return;
    const message = `Service "${holdings.record.key}" selects by other labels now; the pod has them`;
    options.report({ level: "warn", step: "labels", message });
  }

  /** What of the Service the session cannot follow. */
  #serviceReason(): string {
    const { holdings, service } = this.#parts;
    const now = service.objects.get(holdings.record.key);
    if (now === undefined) return service.status.state === "watching" ? "the Service does not exist any more" : "";
    const known = new Set(holdings.plan.ports.map(({ servicePort, remote }) => `${servicePort} ${remote}`));
    const targets = new Map(holdings.plan.ports.map(({ remote, remoteName }) => [remoteName, remote]));
    const strange = now.ports.filter(({ protocol, port, targetPort }) => {
      const remote = typeof targetPort === "string" ? targets.get(targetPort) : targetPort;
      return protocol === "TCP" && !known.has(`${port} ${remote ?? ""}`);
    });
    const nameOfPort = ({ port, targetPort }: ServicePort) => `${port} ${targetPort}`;
    this.#unexposed ??= new Set(strange.filter(({ targetPort }) => typeof targetPort === "string").map(nameOfPort));
    const news = strange.filter((port) => this.#unexposed?.has(nameOfPort(port)) !== true);
    if (news.length === 0) return "";
    return `the Service has other ports now (${news.map(({ port }) => port).join(", ")}); stop and expose it again`;
  }

  #within(action: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#parts.options;
    return withTimeout(this.#components.clock, { action, timeoutMs: tryMs, signal }, work);
  }
}

function isSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
