/** Waiting for a session's pod, and when to give up: what cannot become right is told at once, in the cluster's words. */
import { LocalizerError } from "../errors.ts";
import type { Report } from "./report.ts";
import type { SessionHoldings } from "./session-parts.ts";
import type { SessionPod, WatchedPod } from "./session-pod.ts";

/** What a pod's container waits for without hope, in the kubelet's words. */
const hopeless =
  /^(ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|CreateContainer.*Error|RunContainerError|StartError|ContainerCannotRun|CrashLoopBackOff|Evicted|OutOf.*|UnexpectedAdmissionError|NodeAffinity|NodeLost)$/;
/** What a shell ends with that finds no program, or none that it may run: it counts as running for a moment, again and again. */
const noProgram = /^container sshd ended with exit code 12[67]\b/;

/**
 * Until its container runs. What may become right is told.
 * @throws LocalizerError as `podWhen` and `demandHope`
 */
export async function podRunning(
  holdings: Pick<SessionHoldings, "pods">,
  pod: SessionPod,
  { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
): Promise<void> {
  let told = "";
  await podWhen(
    holdings,
    pod,
    (seen) => {
      const { phase, problem } = demandHope(pod, seen).state;
      if (problem !== undefined && told !== problem.reason) {
        told = problem.reason;
        const message = `Pod "${pod.name}" waits: ${problem.reason}: ${problem.message}`;
        report({ level: "warn", step: "pod", message });
      }
      return phase === "Running" || undefined;
    },
    signal,
  );
  if (told !== "") report({ level: "info", step: "pod", message: `Pod "${pod.name}" runs` });
}

/** Gives the pod. @throws LocalizerError `unavailable` with the cluster's words when it cannot become right */
export function demandHope(pod: SessionPod, seen: WatchedPod): WatchedPod {
  const why = hopelessness(pod, seen);
  if (why !== undefined) throw why;
  return seen;
}

/** What is wrong with it for good, as `demandHope` throws it; undefined while there is hope. */
export function hopelessness(pod: SessionPod, seen: WatchedPod | undefined): LocalizerError | undefined {
  const problem = seen?.state.problem;
  if (problem === undefined || !(hopeless.test(problem.reason) || noProgram.test(problem.message))) return undefined;
  const said = [problem.reason, problem.message].filter((text) => text !== "").join(": ");
  return new LocalizerError("unavailable", `Pod "${pod.name}" does not start: ${said}`);
}

/**
 * Waits until `pick` gives something of the pod.
 * @throws LocalizerError `gone` when the pod goes before; whatever `pick` throws; `aborted`
 */
export async function podWhen<T>(
  { pods }: Pick<SessionHoldings, "pods">,
  pod: SessionPod,
  pick: (seen: WatchedPod) => T | undefined,
  signal: AbortSignal,
): Promise<T> {
  const found = Promise.withResolvers<T>();
  found.promise.catch(() => {});
  let wasSeen = false;
  const look = () => {
    const seen = pods.objects.get(`${pod.ref.namespace}/${pod.name}`);
    try {
      if (seen === undefined) {
        if (wasSeen) throw new LocalizerError("gone", `Pod "${pod.name}" was deleted`);
        return;
      }
      wasSeen = true;
      if (seen.state.deleting) throw new LocalizerError("gone", `Pod "${pod.name}" is being deleted`);
      const value = pick(seen);
      if (value !== undefined) found.resolve(value);
    } catch (error) {
      found.reject(error);
    }
  };
  using _changes = pods.onChange(look);
  look();
  const onAbort = () => found.reject(LocalizerError.from(signal.reason, "aborted"));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await found.promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
