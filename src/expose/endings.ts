/**
 * Ends a session in the cluster, whoever began it and however far it came: owners back, then what was made for it. Promises
 * that it may be run again from any point, that it touches nothing of another session, and that the Lease, which others read,
 * goes last and only when all owners are back.
 */
import { codeOf, LocalizerError } from "../errors.ts";
import { headOf, kinds } from "../kube/objects.ts";
import type { ServiceKey } from "../model/service-key.ts";
import { isAnother } from "./another-object.ts";
import { deadlineError } from "./deadline.ts";
import { leaveService } from "./leave-service.ts";
import { persist } from "./persist.ts";
import { type RecordedOwner, type SessionRecord, sessionSelector } from "./records.ts";
import { unmarkReplicaSets } from "./replica-set-marks.ts";
import type { ExposeLine, Report } from "./report.ts";
import { describeOwner, type RecordedNumber, type ScaleComponents, type ScaledBack, scaleBack } from "./scale.ts";
import { dropLease, leaseRef, seeLease } from "./session-lease.ts";
import type { StepOptions } from "./session-parts.ts";
import { workloadReady } from "./workload-ready.ts";

/** A session that is to end. */
export interface EndingSession {
  readonly session: string;
  readonly namespace: string;
  /** Undefined where no record that is left says so: then its Lease is gone, too. */
  readonly key: ServiceKey | undefined;
  /** Of all records that are left. */
  readonly owners: readonly EndingOwner[];
  /** Nothing but a journal, or a daemon that may have slept, speaks for it. */
  readonly isLeaseGone?: boolean;
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
  /** All sessions of this process end at once: what one leaves to another comes back, and is waited for. */
  readonly together?: boolean;
  /** Lets who has its connections answer what was asked before; bounded. Not called by who does not wait. */
  readonly lastAnswers?: (how: StepOptions) => Promise<void>;
  /** Called before the Lease is deleted, when all else is done. */
  readonly leaseGoes?: () => Promise<void>;
}

/** What became of each owner. */
type Outcomes = ReadonlyMap<EndingOwner, ScaledBack>;

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
  const pods = await made(kinds.pods);
  // Who does not wait for the workload has no connections to spare either.
  if (key !== undefined) {
    const settles = options.waitMs > 0;
    await leaveService(components, key, pods, { ...lasting, report: options.report, settles });
    if (settles && pods.length > 0) await options.lastAnswers?.(options);
  }
  for (const pod of pods) {
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
  await options.leaseGoes?.();
  await persist(components, lasting, async () => {
    const lease = await seeLease(objects, leaseRef(key), options.signal);
    if (lease?.session === session.session) await dropLease(objects, lease, options.signal);
  });
}

/** All of them are tried, whatever one of them says. By owner. */
async function ownersBack(
  components: ScaleComponents,
  { session, key, owners, isLeaseGone = key === undefined }: EndingSession,
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
      if (isLeaseGone && outcome.kind === "restored" && outcome.replicas > 0) report(restoredLate(owner, key));
    } catch (thrown) {
      const error = deadlineError(thrown, signal);
      failures.push(error);
      report({ level: "error", step: "scale-back", message: error.message });
    }
  }
  const [first] = failures;
  if (first === undefined) return outcomes;
  const left = failures.length === 1 ? "an owner is" : `${failures.length} owners are`;
  const sentence = `${first.message}; ${left} still as the exposure left it, and its records are kept for the next try`;
  throw new LocalizerError(first.code, sentence, { cause: first });
}

/** Nobody can tell a session that was forgotten from one that ended and whose marks came back, or whose journal is an old one. */
function restoredLate(owner: EndingOwner, key: ServiceKey | undefined): ExposeLine {
  const left =
    key === undefined
      ? "with marks of an exposure of which nothing else is left"
      : `as an exposure of "${key}", whose Lease is gone, has left it, or somebody has since`;
  const message = `${describeOwner(owner)} was at 0 ${left}; set it to 0 again if it was meant to be`;
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
      return `${owner} stays at 0 for another exposure${outcome.holder === "" ? "" : ` of ${outcome.holder}`}, until that ends`;
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
    if (codeOf(error) !== "conflict" || !(await isAnother(components.objects, ref, uid, signal))) throw error;
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
