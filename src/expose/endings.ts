/**
 * Ends a session in the cluster, whoever began it and however far it came: owners back, then what was made for it. Promises
 * that it may be run again from any point, that it touches nothing of another session, and that the Lease, which others read,
 * goes last and only when all owners are back.
 */
import { codeOf, LocalizerError } from "../errors.ts";
import { apiStatusOf } from "../kube/api-status.ts";
import { at, textAt } from "../kube/json.ts";
import { headOf, kinds, type ObjectRef } from "../kube/objects.ts";
import { namespaceOf, type ServiceKey } from "../model/service-key.ts";
import { persist } from "./persist.ts";
import { type RecordedOwner, type SessionRecord, sessionSelector } from "./records.ts";
import { unmarkReplicaSets } from "./replica-set-marks.ts";
import type { ExposeLine, Report } from "./report.ts";
import { describeOwner, type RecordedNumber, type ScaleComponents, type ScaledBack, scaleBack } from "./scale.ts";
import { servedPods } from "./served-pods.ts";
import { dropLease, leaseRef, seeLease } from "./session-lease.ts";
import { serviceOf, workloadReady } from "./workload-ready.ts";

/** A session that is to end. */
export interface EndingSession {
  readonly session: string;
  readonly namespace: string;
  /** Undefined where no record that is left says so: then its Lease is gone, too. */
  readonly key: ServiceKey | undefined;
  /** Of all records that are left. */
  readonly owners: readonly EndingOwner[];
}

/** An owner, with what a Lease or journal says it was. */
export type EndingOwner = Omit<RecordedOwner, "replicas"> & RecordedNumber;

/** How it ends. */
export interface EndOptions {
  /** Ends all waiting; what is not done by then is left for a later time. */
  readonly signal: AbortSignal;
  readonly report: Report;
  /** How long the workload may take to become ready before our pod goes all the same; 0: do not wait. */
  readonly waitMs: number;
}

/** What became of each owner. */
type Outcomes = ReadonlyMap<EndingOwner, ScaledBack>;

/** How often the workload is looked at. */
const lookEveryMs = 250;
/** An endpoint that has lost its labels leaves the slice within tens of milliseconds. */
const unselectedMs = 3_000;

/**
 * Ends it. Idempotent.
 * @throws LocalizerError when some of it could not be done: the Lease is then left for a later time; `aborted` or the last
 * failure when the signal fires
 */
export async function endSession(
  components: ScaleComponents,
  session: EndingSession,
  options: EndOptions,
): Promise<void> {
  const { key, namespace } = session;
  const outcomes = await ownersBack(components, session, options);
  const lasting = { signal: options.signal, onTrouble: troubleOf(options.report) };
  if (key !== undefined) {
    await workloadReady(components, { session: session.session, key }, [...outcomes.values()], options);
  }
  const { objects } = components;
  const ours = { namespace, labelSelector: sessionSelector(session.session) };
  const made = (resource: typeof kinds.pods | typeof kinds.secrets) =>
    persist(components, lasting, () => objects.list(resource, ours, options.signal));
  for (const pod of await made(kinds.pods)) {
    if (key !== undefined) await persist(components, lasting, () => unselect(components, key, pod, options));
    await persist(components, lasting, () => remove(components, kinds.pods, pod, options.signal));
  }
  // Who may not see Secrets (the reaper) leaves it to the garbage collector: the Secret belongs to the Lease.
  const secrets = await made(kinds.secrets).catch((error: unknown) => {
    if (codeOf(error) === "denied") return [];
    throw error;
  });
  for (const secret of secrets) {
    await persist(components, lasting, () => remove(components, kinds.secrets, secret, options.signal));
  }
  await replicaSetsUnmarked(components, session, outcomes, options);
  if (key === undefined) return;
  await persist(components, lasting, async () => {
    const lease = await seeLease(objects, leaseRef(key), options.signal);
    if (lease?.session === session.session) await dropLease(objects, lease, options.signal);
  });
}

/** All of them are tried, whatever one of them says. By owner. */
async function ownersBack(
  components: ScaleComponents,
  { session, key, owners }: EndingSession,
  { signal, report }: EndOptions,
): Promise<Outcomes> {
  const failures: LocalizerError[] = [];
  const outcomes = new Map<EndingOwner, ScaledBack>();
  for (const owner of owners) {
    try {
      const { fallback, planned } = owner;
      const options = {
        signal,
        ...(fallback === undefined ? {} : { fallback }),
        ...(planned === undefined ? {} : { planned }),
      };
      let tries = 0;
      const lasting = { signal, onTrouble: troubleOf(report) };
      const outcome = await persist(components, lasting, () => {
        tries++;
        return scaleBack(components, owner, session, options);
      });
      outcomes.set(owner, outcome);
      // An answer that was lost may have been a yes.
      const isLate = outcome.kind === "untouched" && outcome.replicas > 0 && tries > 1;
      const seen: ScaledBack = isLate ? { kind: "kept", replicas: outcome.replicas } : outcome;
      const message = sentenceOf(seen, describeOwner(owner));
      if (message !== undefined) report({ level: "info", step: "scale-back", message });
      if (key === undefined && outcome.kind === "restored" && outcome.replicas > 0) report(restoredByMark(owner));
    } catch (thrown) {
      const error = LocalizerError.from(thrown);
      failures.push(error);
      report({ level: "error", step: "scale-back", message: error.message });
    }
  }
  const [first] = failures;
  if (first === undefined) return outcomes;
  const left = failures.length === 1 ? "an owner is" : `${failures.length} owners are`;
  const sentence = `${first.message}; ${left} still as the exposure left it, and its records are kept: try "localizer restore" again`;
  throw new LocalizerError(first.code, sentence, { cause: first });
}

/** Nobody can tell a session that was forgotten from one that ended and whose marks came back. */
function restoredByMark(owner: EndingOwner): ExposeLine {
  const what = `${describeOwner(owner)} was at 0 with marks of an exposure of which nothing else is left`;
  const message = `${what}; set it to 0 again if it was meant to be`;
  return { level: "warn", step: "scale-back", message };
}

function sentenceOf(outcome: ScaledBack, owner: string): string | undefined {
  switch (outcome.kind) {
    case "restored":
      if (outcome.replicas === 0) return `${owner} stays at 0, as it was before`;
      return `${owner} is set to ${outcome.replicas} again`;
    case "kept":
      return `${owner} is at ${outcome.replicas} again`;
    case "left":
      return `${owner} stays at ${outcome.replicas}, which somebody has set it to meanwhile`;
    case "shared":
      return `${owner} stays at 0 for another exposure${outcome.holder === "" ? "" : ` of ${outcome.holder}`}`;
    case "gone":
      return `${owner} does not exist any more`;
    case "untouched":
      return undefined;
    default:
      return outcome satisfies never;
  }
}

/** Tried once: what stays is passed over by the next exposure. */
async function replicaSetsUnmarked(
  { objects }: ScaleComponents,
  { session }: EndingSession,
  outcomes: Outcomes,
  { signal, report }: EndOptions,
): Promise<void> {
  for (const [owner, { kind }] of outcomes) {
    if (kind === "gone" || kind === "shared") continue;
    try {
      await unmarkReplicaSets(objects, owner, session, signal);
    } catch (error) {
      if (codeOf(error) === "denied") continue;
      const message = `ReplicaSets of ${describeOwner(owner)} keep annotations of this exposure: ${LocalizerError.from(error).message}`;
      report({ level: "warn", step: "clean-up", message });
    }
  }
}

/** Takes the Service's labels off our pod, and sees it out of the slices: it takes no new connection before it goes. */
async function unselect(
  components: ScaleComponents,
  key: ServiceKey,
  pod: unknown,
  { signal, report }: EndOptions,
): Promise<void> {
  const { objects, clock } = components;
  const { name, uid } = headOf(pod);
  // Without a Service nothing leads to our pod either.
  const selector = at(await serviceOf(components, key, signal), "spec", "selector");
  const carried = Object.keys(Object(selector)).filter((label) => at(pod, "metadata", "labels", label) !== undefined);
  if (carried.length === 0 || textAt(pod, "metadata", "deletionTimestamp") !== undefined) return;
  report({ level: "info", step: "clean-up", message: `Pod "${name}" leaves the service` });
  const removed = Object.fromEntries(carried.map((label) => [label, null]));
  const ref: ObjectRef = { ...kinds.pods, namespace: namespaceOf(key), name };
  try {
    await objects.patch(ref, { metadata: { uid, labels: removed } }, { signal });
  } catch (error) {
    if (codeOf(error) === "not-found") return;
    // Another pod of that name: its uid cannot be changed (422), or what was meant is an earlier state of it (409).
    const isMismatch = codeOf(error) === "conflict" || apiStatusOf(error)?.httpStatus === 422;
    if (isMismatch && (await isAnother(components, ref, uid, signal))) return;
    throw error;
  }
  const untilMs = clock.monotonic() + unselectedMs;
  while (clock.monotonic() < untilMs && (await servedPods(components, key, signal)).some((pod) => pod.uid === uid)) {
    await clock.sleep(lookEveryMs / 5, signal);
  }
}

async function remove(
  components: ScaleComponents,
  resource: typeof kinds.pods | typeof kinds.secrets,
  object: unknown,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name, uid } = headOf(object);
  try {
    await components.objects.delete({ ...resource, namespace, name }, { uid, signal });
  } catch (error) {
    if (codeOf(error) === "not-found") return;
    // One of that name that was made since is not ours.
    const ref = { ...resource, namespace, name };
    if (codeOf(error) !== "conflict" || !(await isAnother(components, ref, uid, signal))) throw error;
  }
}

/** Also when there is none any more. */
async function isAnother({ objects }: ScaleComponents, ref: ObjectRef, uid: string, signal: AbortSignal) {
  try {
    return headOf(await objects.get(ref, signal)).uid !== uid;
  } catch (error) {
    if (codeOf(error) === "not-found") return true;
    throw error;
  }
}

function troubleOf(report: Report): (error: LocalizerError) => void {
  return (error) => report({ level: "warn", step: "clean-up", message: `Trying again: ${error.message}` });
}

/** Owners of a record, with the number that it gives. */
export function endingOwners({ owners, phase }: SessionRecord): readonly EndingOwner[] {
  return owners.map(({ replicas, ...owner }) => ({
    ...owner,
    ...(phase === "exposed" ? { fallback: replicas } : { planned: replicas }),
  }));
}
