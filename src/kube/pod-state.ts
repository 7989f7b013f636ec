/**
 * How a pod is, of the API's JSON, and what is wrong with it in the words of the cluster. Pure. Used by whoever waits for a pod:
 * a problem is worth telling at once, though some of them pass (a pull is tried again).
 */
import { at, listAt, numberAt, textAt } from "./json.ts";

/** What is wrong, as the cluster says it. */
export interface PodProblem {
  /** One word: "ErrImagePull", "CrashLoopBackOff", "Unschedulable", "Evicted", … */
  readonly reason: string;
  /** What it says about it; may be empty. */
  readonly message: string;
}

/** A pod, at one moment. Empty strings where the cluster says nothing. */
export interface PodState {
  /** "Pending", "Running", "Succeeded", "Failed" or "Unknown". */
  readonly phase: string;
  /** Its condition Ready; a pod that is being deleted may be ready still. */
  readonly ready: boolean;
  readonly deleting: boolean;
  readonly ip: string;
  readonly node: string;
  /** Set when it runs in a sandbox of another kind (gVisor, Kata), which port-forwarding may not get into. */
  readonly runtimeClass?: string;
  /** Names of its containers and sidecars: more than were asked for, if an admission webhook added some. */
  readonly containers: readonly string[];
  /** How often containers were started again. */
  readonly restarts: number;
  readonly problem?: PodProblem;
}

/** Reads a pod. Anything else gives a state that knows nothing. */
export function podState(pod: unknown): PodState {
  const runtimeClass = textAt(pod, "spec", "runtimeClassName");
  const problem = problemOf(pod);
  return {
    phase: textAt(pod, "status", "phase") ?? "",
    ready: condition(pod, "Ready")?.status === "True",
    deleting: at(pod, "metadata", "deletionTimestamp") !== undefined,
    ip: textAt(pod, "status", "podIP") ?? "",
    node: textAt(pod, "spec", "nodeName") ?? "",
    containers: [
      ...listAt(pod, "spec", "containers"),
      ...listAt(pod, "spec", "initContainers").filter((init) => textAt(init, "restartPolicy") === "Always"),
    ].map((container) => textAt(container, "name") ?? ""),
    restarts: statuses(pod).reduce<number>((sum, status) => sum + (numberAt(status, "restartCount") ?? 0), 0),
    ...(runtimeClass === undefined ? {} : { runtimeClass }),
    ...(problem === undefined ? {} : { problem }),
  };
}

/** The gravest first: what ends the pod, then its place, then its containers, then its node. */
function problemOf(pod: unknown): PodProblem | undefined {
  return endedPod(pod) ?? disrupted(pod) ?? unscheduled(pod) ?? troubledContainer(pod) ?? lostNode(pod);
}

/** Evicted by the kubelet, node lost, not admitted by the node, … : the pod's own status says so. */
function endedPod(pod: unknown): PodProblem | undefined {
  const reason = textAt(pod, "status", "reason");
  if (reason !== undefined) return { reason, message: textAt(pod, "status", "message") ?? "" };
  const phase = textAt(pod, "status", "phase");
  if (phase !== "Failed" && phase !== "Unknown") return undefined;
  return troubledContainer(pod) ?? { reason: phase, message: textAt(pod, "status", "message") ?? "" };
}

/** About to be ended by the cluster: an eviction, a preemption, a taint. A stale condition is taken back after two minutes. */
function disrupted(pod: unknown): PodProblem | undefined {
  const target = condition(pod, "DisruptionTarget");
  return target?.status === "True" ? { reason: target.reason, message: target.message } : undefined;
}

/** "Unschedulable" for the most part. A pod that the scheduler has not seen yet has no such condition. */
function unscheduled(pod: unknown): PodProblem | undefined {
  const scheduled = condition(pod, "PodScheduled");
  return scheduled?.status === "False" ? { reason: scheduled.reason, message: scheduled.message } : undefined;
}

/** What every container says while all is well. */
const startingReasons = ["ContainerCreating", "PodInitializing"];

function troubledContainer(pod: unknown): PodProblem | undefined {
  for (const status of statuses(pod)) {
    const reason = textAt(status, "state", "waiting", "reason");
    if (reason !== undefined && !startingReasons.includes(reason)) {
      const message = textAt(status, "state", "waiting", "message") ?? "";
      // "back-off 10s restarting failed container" does not say why it failed.
      const ended = terminated(status, "lastState");
      return { reason, message: ended === undefined ? message : [message, ended].filter(Boolean).join("; ") };
    }
    const isRegular = listAt(pod, "status", "containerStatuses").includes(status);
    const exitCode = numberAt(status, "state", "terminated", "exitCode");
    if (exitCode !== undefined && (isRegular || exitCode !== 0)) {
      const word = textAt(status, "state", "terminated", "reason") ?? "Terminated";
      return { reason: word, message: terminated(status, "state") ?? "" };
    }
  }
  return undefined;
}

/** "container sshd ended with exit code 127 (Error): no sshd in this image". */
function terminated(status: unknown, field: "state" | "lastState"): string | undefined {
  const exitCode = numberAt(status, field, "terminated", "exitCode");
  if (exitCode === undefined) return undefined;
  const reason = textAt(status, field, "terminated", "reason");
  const message = textAt(status, field, "terminated", "message")?.trim();
  const name = textAt(status, "name") ?? "";
  return `container ${name} ended with exit code ${exitCode}${reason === undefined ? "" : ` (${reason})`}${message === undefined ? "" : `: ${message}`}`;
}

/**
 * The node controller sets Ready to False and leaves the rest as the kubelet last wrote it, where both agree; a readiness gate
 * that is not passed gives a reason (kubernetes pkg/controller/util/node, MarkPodsNotReady).
 */
function lostNode(pod: unknown): PodProblem | undefined {
  const ready = condition(pod, "Ready");
  const isLost =
    ready?.status === "False" && ready.reason === "" && condition(pod, "ContainersReady")?.status === "True";
  if (!isLost) return undefined;
  return { reason: "NodeNotReady", message: `node ${textAt(pod, "spec", "nodeName") ?? ""} does not report` };
}

interface Condition {
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

function condition(pod: unknown, type: string): Condition | undefined {
  const found = listAt(pod, "status", "conditions").find((each) => textAt(each, "type") === type);
  if (found === undefined) return undefined;
  const text = (field: string) => textAt(found, field) ?? "";
  return { status: text("status"), reason: text("reason"), message: text("message") };
}

function statuses(pod: unknown): readonly unknown[] {
  return [...listAt(pod, "status", "initContainerStatuses"), ...listAt(pod, "status", "containerStatuses")];
}
