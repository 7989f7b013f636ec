/** The moment at which a session's pods leave their Service: they take no new connection before they go. */
import { codeOf, type LocalizerError } from "../errors.ts";
import { apiStatusOf } from "../kube/api-status.ts";
import { at, textAt } from "../kube/json.ts";
import { headOf, kinds, type ObjectRef } from "../kube/objects.ts";
import { namespaceOf, type ServiceKey } from "../model/service-key.ts";
import { isAnother } from "./another-object.ts";
import { persist } from "./persist.ts";
import type { Report } from "./report.ts";
import type { ScaleComponents } from "./scale.ts";
import { servedPods } from "./served-pods.ts";
import { serviceOf } from "./workload-ready.ts";

/** How they leave. */
export interface LeaveOptions {
  readonly signal: AbortSignal;
  readonly report: Report;
  /** Of calls that fail and are tried again. */
  readonly onTrouble: (error: LocalizerError) => void;
  /** Whether to give the cluster's nodes the time to notice. */
  readonly settles: boolean;
}

const lookEveryMs = 50;
/** An endpoint that has lost its labels leaves the slice within tens of milliseconds. */
const unselectedMs = 3_000;
/** kube-proxy writes its rules once a second at most (its `minSyncPeriod`), and until then sends connections to the pod. */
const settleMs = 1_500;

/**
 * Takes the Service's labels off the pods and sees them out of the slices. Idempotent; says so for each pod that it takes out.
 * Throws as the API; `aborted`
 */
export async function leaveService(
  components: ScaleComponents,
  key: ServiceKey,
  pods: readonly unknown[],
  options: LeaveOptions,
): Promise<void> {
  const { clock } = components;
  const { signal, onTrouble, settles } = options;
  const lasting = { signal, onTrouble };
  const left = new Set<string>();
  for (const pod of pods) {
    if (await persist(components, lasting, () => unselect(components, key, pod, options))) left.add(headOf(pod).uid);
  }
  if (left.size === 0) return;
  const look = () => persist(components, lasting, () => servedPods(components, key, signal));
  const untilMs = clock.monotonic() + unselectedMs;
  let served = await look();
  while (clock.monotonic() < untilMs && served.some(({ uid }) => left.has(uid))) {
    await clock.sleep(lookEveryMs, signal);
    served = await look();
  }
  // Where nobody else answers, a connection may as well be refused.
  if (settles && served.some(({ uid, answers }) => answers && !left.has(uid))) await clock.sleep(settleMs, signal);
}

/** Says whether there was something to take off. */
async function unselect(
  components: ScaleComponents,
  key: ServiceKey,
  pod: unknown,
  { signal, report }: LeaveOptions,
): Promise<boolean> {
  const { objects } = components;
  const { name, uid } = headOf(pod);
  // Without a Service nothing leads to our pod either.
  const selector = at(await serviceOf(components, key, signal), "spec", "selector");
  const carried = Object.keys(Object(selector)).filter((label) => at(pod, "metadata", "labels", label) !== undefined);
  if (carried.length === 0 || textAt(pod, "metadata", "deletionTimestamp") !== undefined) return false;
  report({ level: "info", step: "clean-up", message: `Pod "${name}" leaves the service` });
  const removed = Object.fromEntries(carried.map((label) => [label, null]));
  const ref: ObjectRef = { ...kinds.pods, namespace: namespaceOf(key), name };
  try {
    await objects.patch(ref, { metadata: { uid, labels: removed } }, { signal });
    return true;
  } catch (error) {
    if (codeOf(error) === "not-found") return false;
    // Another pod of that name: its uid cannot be changed (422), or what was meant is an earlier state of it (409).
    const isMismatch = codeOf(error) === "conflict" || apiStatusOf(error)?.httpStatus === 422;
    if (isMismatch && (await isAnother(objects, ref, uid, signal))) return false;
    throw error;
  }
}
