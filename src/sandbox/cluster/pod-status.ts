/** What a kubelet says about a pod, as merge patches of its status (Kubernetes "Pod Lifecycle"). Pure. */
import type { ApiObject } from "../api-object.ts";
import { at, listAt, textAt } from "../json.ts";
import { isObject } from "../merge-patch.ts";

/** Why a container does not run, as in `state.waiting`: ErrImagePull, CrashLoopBackOff, … */
export interface ContainerProblem {
  readonly reason: string;
  readonly message: string;
}

interface Condition {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason?: string;
  readonly message?: string;
}

/** No node takes it. */
export function unschedulable(pod: ApiObject, message: string, time: string): unknown {
  const condition = { type: "PodScheduled", status: "False", reason: "Unschedulable", message } as const;
  return { phase: "Pending", conditions: conditions(pod, [condition], time) };
}

/** On a node, but its containers do not run. */
export function waiting(pod: ApiObject, problem: ContainerProblem, time: string): unknown {
  const why = { reason: "ContainersNotReady", message: `containers with unready status: [${names(pod).join(" ")}]` };
  const state = { waiting: { reason: problem.reason, message: problem.message } };
  return {
    phase: "Pending",
    conditions: conditions(pod, [...started(), ...readiness(false, why)], time),
    containerStatuses: containers(pod, { ready: false, started: false, state }),
  };
}

/** All containers run. */
export function running(
  pod: ApiObject,
  facts: { readonly ip: string; readonly ready: boolean },
  time: string,
): unknown {
  const { ip, ready } = facts;
  const why = { reason: "ContainersNotReady", message: `containers with unready status: [${names(pod).join(" ")}]` };
  const startedAt = textAt(pod, "status", "startTime") ?? time;
  return {
    phase: "Running",
    conditions: conditions(pod, [...started(), ...readiness(ready, ready ? {} : why)], time),
    podIP: ip,
    podIPs: [{ ip }],
    hostIP: "10.0.0.1",
    startTime: startedAt,
    containerStatuses: containers(pod, { ready, started: true, state: { running: { startedAt } } }),
  };
}

function started(): readonly Condition[] {
  return ["PodReadyToStartContainers", "Initialized", "PodScheduled"].map((type) => ({ type, status: "True" }));
}

function readiness(ready: boolean, why: { readonly reason?: string; readonly message?: string }): readonly Condition[] {
  const status = ready ? "True" : "False";
  return ["Ready", "ContainersReady"].map((type) => ({ type, status, ...why }));
}

/** With the times at which each last changed. */
function conditions(pod: ApiObject, wanted: readonly Condition[], time: string): readonly unknown[] {
  const before = listAt(pod, "status", "conditions");
  return wanted.map((condition) => {
    const same = before.find(
      (one) => textAt(one, "type") === condition.type && textAt(one, "status") === condition.status,
    );
    return { ...condition, lastTransitionTime: textAt(same, "lastTransitionTime") ?? time };
  });
}

function containers(pod: ApiObject, status: object): readonly unknown[] {
  return listAt(pod, "spec", "containers").map((container) => ({
    name: textAt(container, "name") ?? "",
    image: isObject(container) ? at(container, "image") : undefined,
    restartCount: 0,
    ...status,
  }));
}

function names(pod: ApiObject): readonly string[] {
  return listAt(pod, "spec", "containers").map((container) => textAt(container, "name") ?? "");
}
