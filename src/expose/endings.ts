/**
 * Ends a session in the cluster, whoever began it and however far it came: owners back, then what was made for it. Promises
 * that it may be run again from any point, that it touches nothing of another session, and that the Lease, which others read,
 * goes last and only when all owners are back.
 */
import { codeOf, LocalizerError } from "../errors.ts";
import { at, textAt } from "../kube/json.ts";
import { headOf, kinds, type ObjectRef } from "../kube/objects.ts";
import { nameOf, namespaceOf, type ServiceKey } from "../model/service-key.ts";
import { persist } from "./persist.ts";
import { type RecordedOwner, type SessionRecord, sessionSelector } from "./records.ts";
import type { Report } from "./report.ts";
import { describeOwner, type ScaleComponents, type ScaledBack, scaleBack } from "./scale.ts";
import { readyOutside, servedPods } from "./served-pods.ts";
import { dropLease, leaseRef, seeLease } from "./session-lease.ts";

/** A session that is to end. */
export interface EndingSession {
  readonly session: string;
  readonly namespace: string;
  /** Undefined where no record that is left says so: then its Lease is gone, too. */
  readonly key: ServiceKey | undefined;
  /** Of all records that are left. */
  readonly owners: readonly EndingOwner[];
}

/** An owner, with what a Lease or journal says it was if it certainly was scaled to 0. */
export type EndingOwner = Omit<RecordedOwner, "replicas"> & { readonly fallback?: number };

/** How it ends. */
export interface EndOptions {
  /** Ends all waiting; what is not done by then is left for a later time. */
  readonly signal: AbortSignal;
  readonly report: Report;
  /** How long the workload may take to become ready before our pod goes all the same; 0: do not wait. */
  readonly waitMs: number;
}

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
  const isBack = await ownersBack(components, session, options);
  const lasting = { signal: options.signal, onTrouble: troubleOf(options.report) };
  if (isBack.some(({ kind }) => kind === "restored")) await workloadReady(components, session, options);
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
  if (key === undefined) return;
  await persist(components, lasting, async () => {
    const lease = await seeLease(objects, leaseRef(key), options.signal);
    if (lease?.session === session.session) await dropLease(objects, lease, options.signal);
  });
}

/** All of them are tried, whatever one of them says. */
async function ownersBack(
  components: ScaleComponents,
  { session, owners }: EndingSession,
  { signal, report }: EndOptions,
): Promise<readonly ScaledBack[]> {
  const failures: LocalizerError[] = [];
  const outcomes: ScaledBack[] = [];
  for (const { fallback, ...owner } of owners) {
    try {
      const options = { signal, ...(fallback === undefined ? {} : { fallback }) };
      const lasting = { signal, onTrouble: troubleOf(report) };
      const outcome = await persist(components, lasting, () => scaleBack(components, owner, session, options));
      outcomes.push(outcome);
      const message = sentenceOf(outcome, describeOwner(owner));
      if (message !== undefined) report({ level: "info", step: "scale-back", message });
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

function sentenceOf(outcome: ScaledBack, owner: string): string | undefined {
  switch (outcome.kind) {
    case "restored":
      return `${owner} is set to ${outcome.replicas} again`;
    case "left":
      return `${owner} stays at ${outcome.replicas}, which somebody has set it to meanwhile`;
    case "shared":
      return `${owner} stays at 0 for another exposure`;
    case "gone":
      return `${owner} does not exist any more`;
    case "untouched":
      return undefined;
    default:
      return outcome satisfies never;
  }
}

/** Until a pod that is not ours is ready, so that no request finds nobody. */
async function workloadReady(
  components: ScaleComponents,
  { session, key }: EndingSession,
  { signal, report, waitMs }: EndOptions,
): Promise<void> {
  if (waitMs === 0 || key === undefined) return;
  const { clock } = components;
  report({ level: "info", step: "workload", message: `Waiting for a pod of "${key}" to be ready` });
  const untilMs = clock.monotonic() + waitMs;
  const isReady = () => persist(components, { signal }, () => readyOutside(components, { key, session }, signal));
  while (!(await isReady())) {
    if (clock.monotonic() >= untilMs) {
      const message = `No pod of "${key}" became ready within ${Math.round(waitMs / 1_000)} s; the exposure ends all the same`;
      report({ level: "warn", step: "workload", message });
      return;
    }
    await clock.sleep(lookEveryMs, signal);
  }
  report({ level: "info", step: "workload", message: `A pod of "${key}" is ready` });
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
  const selector = await selectorOf(components, key, signal);
  const carried = Object.keys(selector).filter((label) => at(pod, "metadata", "labels", label) !== undefined);
  if (carried.length === 0 || textAt(pod, "metadata", "deletionTimestamp") !== undefined) return;
  report({ level: "info", step: "clean-up", message: `Pod "${name}" leaves the service` });
  const removed = Object.fromEntries(carried.map((label) => [label, null]));
  const ref: ObjectRef = { ...kinds.pods, namespace: namespaceOf(key), name };
  try {
    await objects.patch(ref, { metadata: { uid, labels: removed } }, { signal });
  } catch (error) {
    if (codeOf(error) === "not-found") return;
    throw error;
  }
  const untilMs = clock.monotonic() + unselectedMs;
  while (clock.monotonic() < untilMs && (await servedPods(components, key, signal)).some((pod) => pod.uid === uid)) {
    await clock.sleep(lookEveryMs / 5, signal);
  }
}

/** Empty when the Service is gone: then nothing leads to our pod either. */
async function selectorOf({ objects }: ScaleComponents, key: ServiceKey, signal: AbortSignal): Promise<object> {
  try {
    const service = await objects.get({ ...kinds.services, namespace: namespaceOf(key), name: nameOf(key) }, signal);
    const selector = at(service, "spec", "selector");
    return typeof selector === "object" && selector !== null ? selector : {};
  } catch (error) {
    if (codeOf(error) === "not-found") return {};
    throw error;
  }
}

async function remove(
  { objects }: ScaleComponents,
  resource: typeof kinds.pods | typeof kinds.secrets,
  object: unknown,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name, uid } = headOf(object);
  try {
    await objects.delete({ ...resource, namespace, name }, { uid, signal });
  } catch (error) {
    if (codeOf(error) === "not-found") return;
    const isAnother = async () => headOf(await objects.get({ ...resource, namespace, name }, signal)).uid !== uid;
    // One of that name that was made since is not ours.
    if (codeOf(error) !== "conflict" || !(await isAnother())) throw error;
  }
}

function troubleOf(report: Report): (error: LocalizerError) => void {
  return (error) => report({ level: "warn", step: "clean-up", message: `Trying again: ${error.message}` });
}

/** Owners of a record, with the number that it gives where they certainly were scaled. */
export function endingOwners({ owners, phase }: SessionRecord): readonly EndingOwner[] {
  return owners.map(({ replicas, ...owner }) => (phase === "exposed" ? { ...owner, fallback: replicas } : owner));
}
