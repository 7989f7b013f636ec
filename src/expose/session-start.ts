/**
 * Begins a session, in an order that leaves the workload untouched until the local process can take its place: journal and
 * Lease, Secret and pod, SSH and listeners, Ready, the Service's labels, and only then 0 replicas (decision 27). Each step may
 * be taken again, after an answer that was lost or by a session that has lost its pod.
 */
import { type BackoffOptions, backoffMs } from "../backoff.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import { addedToPod } from "./added-containers.ts";
import { Heartbeat } from "./heartbeat.ts";
import { persist } from "./persist.ts";
import { withoutSelected } from "./pod-marks.ts";
import { demandHope, hopelessness, podRunning, podWhen } from "./pod-wait.ts";
import type { RecordedOwner } from "./records.ts";
import type { ExposeStep, Report } from "./report.ts";
import { describeOwner, scaleDown } from "./scale.ts";
import { servedPods } from "./served-pods.ts";
import { takeLease } from "./session-lease.ts";
import type { SessionComponents, SessionHoldings, SessionSettings, StepOptions } from "./session-parts.ts";
import { SessionPod, watchedPod } from "./session-pod.ts";
import { openTunnel } from "./session-tunnel.ts";

/** How a start is. */
export interface StartOptions extends StepOptions {
  /** Has to end well before traffic can come; called again when the connection is lost meanwhile. */
  readonly beforeLabels?: ((options: StepOptions) => Promise<void>) | undefined;
}

/** sshd needs some tens of milliseconds after its container counts as running. */
const sshRetry: BackoffOptions = { baseMs: 50, factor: 2, capMs: 1_000 };
/** So long a connection may fail without a word. */
const patienceMs = 5_000;
/** Pods that are being deleted leave the slices within a second. */
const aloneMs = 3_000;
const lookEveryMs = 50;

/**
 * Takes all steps. What was made stands in the holdings, also when it fails.
 * @throws LocalizerError when a step fails
 */
export async function startSession(
  components: SessionComponents,
  settings: SessionSettings,
  holdings: SessionHoldings,
  options: StartOptions,
): Promise<void> {
  const { signal, report, beforeLabels } = options;
  const { record } = holdings;
  const lasting = { signal };
  await components.journal.write(settings.server, record);
  holdings.lease = await persist(components, lasting, () =>
    takeLease(components, record, { durationMs: settings.leaseMs, signal }),
  );
  tell(report, "lease", `Holding Lease "${holdings.lease.ref.name}" as ${record.holder}`);
  const heartbeat = new Heartbeat(components, holdings.lease, { everyMs: settings.renewMs });
  holdings.heartbeat = heartbeat;
  const own = { report, signal: AbortSignal.any([signal, heartbeat.lost]) };
  try {
    await makePod(components, settings, holdings, { ...own, beforeLabels });
    await scaleOwners(components, settings, holdings, record.owners, own);
    await alone(components, holdings, own.signal);
  } catch (error) {
    if (!heartbeat.lost.aborted || signal.aborted) throw error;
    throw LocalizerError.wrap(heartbeat.lost.reason, `Cannot expose "${record.key}"`);
  }
}

/**
 * Makes a pod and puts it behind the Service, with the way to the local process open.
 * @throws LocalizerError when a step fails
 */
export async function makePod(
  components: SessionComponents,
  settings: SessionSettings,
  holdings: SessionHoldings,
  { signal, report, beforeLabels }: StartOptions,
): Promise<void> {
  const { plan, record, lease } = holdings;
  if (lease === undefined) throw new LocalizerError("internal", "Cannot make a pod: the session has no Lease");
  const lasting = { signal };
  const attempt = holdings.attempts + 1;
  const options = attempt === 1 ? settings.pod : withoutSelected(settings.pod, plan.selector);
  const pod = new SessionPod(components, { plan, record, lease, attempt, options });
  holdings.attempts = attempt;
  holdings.pod = pod;
  await persist(components, lasting, () => pod.createSecret(signal));
  const made = await persist(components, lasting, () => pod.createPod(signal));
  tell(report, "pod", `Made pod "${pod.name}"`);
  for (const warning of addedToPod(made)) report({ level: "warn", step: "pod", message: warning });
  await podRunning(holdings, pod, { signal, report });
  await whileConnected(components, holdings, { signal, report }, async (connected) => {
    await podWhen(holdings, pod, (seen) => demandHope(pod, seen).state.ready || undefined, connected);
    tell(report, "ready", `Pod "${pod.name}" is ready`);
    await beforeLabels?.({ signal: connected, report });
    await persist(components, { signal: connected }, () => pod.select(pod.labels, connected));
    await persist(components, { signal: connected }, () => pod.selected(connected));
  });
  tell(report, "labels", `Service "${record.key}" leads to it`);
}

/**
 * Connects, and does the work with the connection; connects again, and begins the work anew, when that is lost in between.
 * @throws LocalizerError as `connect`, and as the work does
 */
async function whileConnected(
  components: SessionComponents,
  holdings: SessionHoldings,
  { signal, report }: StepOptions,
  work: (connected: AbortSignal) => Promise<void>,
): Promise<void> {
  const { clock, random = Math.random } = components;
  for (let attempt = 0; ; attempt++) {
    await connect(components, holdings, { signal, report });
    const { ssh } = holdings;
    if (ssh === undefined) throw new LocalizerError("internal", "Cannot go on: the session has no connection");
    try {
      return await work(AbortSignal.any([signal, ssh.closed]));
    } catch (thrown) {
      if (signal.aborted || !ssh.closed.aborted || isPodLost(holdings)) throw thrown;
      const { message } = LocalizerError.from(ssh.closed.reason);
      report({ level: "warn", step: "tunnel", message: `Connecting again: ${message}` });
      await clock.sleep(backoffMs(attempt, sshRetry, random), signal);
    }
  }
}

/**
 * Opens the way to the local process, over the pod that there is; tries until the signal fires.
 * @throws LocalizerError `denied` when the host key is another, or a right is missing; `gone` when the pod goes meanwhile; `unavailable` with
 * the cluster's words when its containers cannot run; the last failure when the signal fires
 */
export async function connect(
  components: SessionComponents,
  holdings: SessionHoldings,
  { signal, report }: StepOptions,
): Promise<void> {
  const { pod, ports } = holdings;
  if (pod === undefined) throw new LocalizerError("internal", "Cannot connect: the session has no pod");
  const { clock, random = Math.random } = components;
  const onTrouble = tunnelTrouble(components, report, pod.name);
  const wish = { endpoint: { pod: pod.ref, port: pod.sshPort }, identity: pod.identity, ports, onTrouble };
  const lost = new AbortController();
  const look = () => {
    if (isPodLost(holdings)) lost.abort(new LocalizerError("gone", `Pod "${pod.name}" is gone`));
    const why = hopelessness(pod, watchedPod(holdings));
    if (why !== undefined) lost.abort(why);
  };
  using _changes = holdings.pods.onChange(look);
  look();
  const either = AbortSignal.any([signal, lost.signal]);
  for (let attempt = 0; ; attempt++) {
    if (lost.signal.aborted) throw lost.signal.reason;
    try {
      holdings.ssh = await openTunnel(components, wish, either);
      break;
    } catch (error) {
      if (lost.signal.aborted) throw lost.signal.reason;
      if (!isPassing(error)) throw error;
      components.log.debug("Cannot connect to the pod yet", { pod: pod.name, attempt, error });
      onTrouble(error);
      await clock.sleep(backoffMs(attempt, sshRetry, random), either).catch(() => {
        throw lost.signal.aborted ? lost.signal.reason : error;
      });
    }
  }
  tell(report, "tunnel", `Connected to pod "${pod.name}"`);
}

/** Tells what fails once that has gone on for a while, and again only when it is something else. */
function tunnelTrouble({ clock }: Pick<SessionComponents, "clock">, report: Report, pod: string) {
  let [sinceMs, told] = [clock.monotonic(), ""];
  return (error: unknown) => {
    const { message } = LocalizerError.from(error);
    if (message === told || clock.monotonic() - sinceMs < patienceMs) return;
    [sinceMs, told] = [clock.monotonic(), message];
    report({ level: "warn", step: "tunnel", message: `Cannot connect to pod "${pod}" yet: ${message}` });
  };
}

/** Says whether the pod is not there any more, is about to go, or has ended. */
export function isPodLost(holdings: Pick<SessionHoldings, "pod" | "pods">): boolean {
  const seen = watchedPod(holdings);
  if (seen === undefined || seen.state.deleting) return true;
  return seen.state.phase === "Failed" || seen.state.phase === "Succeeded";
}

/**
 * Sets the owners to 0, one after the other, and writes down what they were. Asks before each write who holds the Lease.
 * @throws LocalizerError when one of them cannot be; `gone` or `conflict` when the Lease is not the session's any more
 */
export async function scaleOwners(
  components: SessionComponents,
  settings: SessionSettings,
  holdings: SessionHoldings,
  owners: readonly RecordedOwner[],
  { signal, report }: StepOptions,
): Promise<void> {
  const { session, holder } = holdings.record;
  const by = { session, holder, mates: holdings.mates() };
  const scaled = new Map(holdings.record.owners.map((owner) => [owner.uid, owner]));
  // It may be long since the last sign of life came through, and somebody may have put everything back.
  const confirm = async () => await holdings.heartbeat?.beat({ signal });
  holdings.hasScaled = true;
  for (const owner of owners) {
    const replicas = await persist(components, { signal }, () => scaleDown(components, owner, by, { signal, confirm }));
    scaled.set(owner.uid, { ...owner, replicas });
    tell(report, "scale-down", `${describeOwner(owner)} is set from ${replicas} to 0`);
  }
  await writeRecord(components, settings, holdings, { phase: "exposed", owners: [...scaled.values()] }, signal);
}

/** Until the pods that were scaled away have left the Service, but not for long: others may stand behind it, too. */
async function alone(components: SessionComponents, { record, pod }: SessionHoldings, signal: AbortSignal) {
  if (record.owners.length === 0) return;
  const { clock } = components;
  const untilMs = clock.monotonic() + aloneMs;
  while (clock.monotonic() < untilMs) {
    const served = await persist(components, { signal }, () => servedPods(components, record.key, signal));
    if (served.every(({ uid, ready }) => !ready || uid === pod?.ref.uid)) return;
    await clock.sleep(lookEveryMs, signal);
  }
}

/** Writes the session's record anew, to the journal and to the Lease. @throws LocalizerError as those */
export async function writeRecord(
  components: SessionComponents,
  settings: SessionSettings,
  holdings: SessionHoldings,
  changes: Partial<Pick<SessionHoldings["record"], "phase" | "owners">>,
  signal: AbortSignal,
): Promise<void> {
  const { heartbeat } = holdings;
  const record = { ...holdings.record, ...changes };
  holdings.record = record;
  await components.journal.write(settings.server, record);
  if (heartbeat === undefined) return;
  await persist(components, { signal }, () => heartbeat.beat({ signal, record }));
}

function isPassing(error: unknown): boolean {
  return ["unavailable", "timeout", "refused", "gone", "conflict"].includes(codeOf(error));
}

function tell(report: Report, step: ExposeStep, message: string): void {
  report({ level: "info", step, message });
}
