/** The moment at the end of a session at which its workload answers again, so that the session's pod may go. */
import { codeOf } from "../errors.ts";
import { kinds } from "../kube/objects.ts";
import { nameOf, namespaceOf, type ServiceKey } from "../model/service-key.ts";
import { persist } from "./persist.ts";
import type { Report } from "./report.ts";
import type { ScaleComponents, ScaledBack } from "./scale.ts";
import { readyPods } from "./served-pods.ts";

/** How it is waited. */
export interface WaitOptions {
  readonly signal: AbortSignal;
  readonly report: Report;
  /** 0: do not wait. */
  readonly waitMs: number;
  /** All sessions of this process end: owners that this one has left to others come back, too. */
  readonly together?: boolean;
}

/** How often the workload is looked at. */
const lookEveryMs = 250;

/**
 * Until a pod of no exposure is ready, so that no request finds nobody. Waits for none that cannot come, nor for longer than `waitMs`.
 * Throws as the API; `aborted`
 */
export async function workloadReady(
  components: ScaleComponents,
  session: { readonly session: string; readonly key: ServiceKey },
  outcomes: readonly ScaledBack[],
  { signal, report, waitMs, together = false }: WaitOptions,
): Promise<void> {
  if (waitMs === 0) return;
  const { clock } = components;
  const { key } = session;
  const look = () => persist(components, { signal }, () => readyPods(components, session, signal));
  const isThere = () =>
    persist(components, { signal }, async () => (await serviceOf(components, key, signal)) !== undefined);
  const isUp = (outcome: ScaledBack) => {
    if (outcome.kind === "shared") return together && outcome.holder === "" && outcome.before > 0;
    return "replicas" in outcome && outcome.replicas > 0;
  };
  const risen = outcomes.filter(isUp);
  if (risen.length === 0) return;
  // An earlier time may have set them back already, and not have come to wait.
  if (!risen.some(({ kind }) => kind === "restored" || kind === "shared")) {
    const { own, others } = await look();
    if (!own || others) return;
  }
  if (!(await isThere())) return;
  report({ level: "info", step: "workload", message: `Waiting for a pod of "${key}" to be ready` });
  const untilMs = clock.monotonic() + waitMs;
  while (!(await look()).others) {
    if (clock.monotonic() >= untilMs) {
      const message = `No pod of "${key}" became ready within ${Math.round(waitMs / 1_000)} s; the exposure ends all the same`;
      report({ level: "warn", step: "workload", message });
      return;
    }
    await clock.sleep(lookEveryMs, signal);
    if (!(await isThere())) return;
  }
  report({ level: "info", step: "workload", message: `A pod of "${key}" is ready` });
}

/** The Service; undefined when it is gone. Throws as the API. */
export async function serviceOf({ objects }: ScaleComponents, key: ServiceKey, signal: AbortSignal): Promise<unknown> {
  try {
    return await objects.get({ ...kinds.services, namespace: namespaceOf(key), name: nameOf(key) }, signal);
  } catch (error) {
    if (codeOf(error) === "not-found") return undefined;
    throw error;
  }
}
