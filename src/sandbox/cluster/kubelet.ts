/**
 * The kubelet: pods on a node run at once, those of a workload become ready after a while, those that nobody controls when
 * the test says so, and what is deleted is gone after a while. Nothing is really run.
 */
import type { Clock } from "../../clock.ts";
import type { ApiObject } from "../api-object.ts";
import { apiTime } from "../deletion.ts";
import { numberAt, textAt, textsAt } from "../json.ts";
import { type ControlledServer, type Controller, isOf, keyOf, type ObjectKey } from "./controller.ts";
import { controllerOf } from "./owners.ts";
import { type ContainerProblem, running, waiting } from "./pod-status.ts";
import { hasEnded, isReady, isTerminating } from "./pods.ts";

/** How pods behave. */
export interface KubeletOptions {
  /** From running to ready, of pods of a workload; 0 unless given. The annotation `readyMsAnnotation` of a pod wins. */
  readonly readyMs?: number;
  /** From the deletion of a running pod until it is gone, at most its grace; 0 unless given. */
  readonly terminateMs?: number;
  /**
   * Whether a pod of no workload is ready; never, unless given or set. A promise is waited for. Asked when the pod has
   * changed, and when `recheck` is called.
   */
  readonly podIsReady?: (pod: ApiObject) => boolean | Promise<boolean>;
  /** Why a pod on a node does not start; it does when there is no reason. Asked as `podIsReady`. */
  readonly podProblem?: (pod: ApiObject) => ContainerProblem | undefined;
}

/** Of a pod, so mostly of a workload's template: how many ms it takes to be ready, or `never`. */
export const readyMsAnnotation = "sandbox.localizer.dev/ready-ms";

const by = { manager: "kubelet", subresource: "status" } as const;
/** Whose pods need nobody's word to become ready. */
const workloads = ["ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job"];

interface PodState {
  readonly uid: string;
  readonly ip: string;
  runningSince: number | undefined;
  terminatingSince: number | undefined;
  /** Set by the test, or answered. */
  ready: boolean | undefined;
  asked: Promise<boolean> | undefined;
}

/** All kubelets in one. */
export class Kubelet implements Controller {
  readonly name = "kubelet";
  readonly #server: ControlledServer;
  readonly #clock: Clock;
  readonly #options: KubeletOptions;
  readonly #onAnswer: (key: ObjectKey) => void;
  readonly #states = new Map<string, PodState>();
  readonly #pods;
  #addresses = 0;

  /** @param onAnswer told when a pod's readiness has been answered: it is to be looked at */
  constructor(server: ControlledServer, clock: Clock, options: KubeletOptions, onAnswer: (key: ObjectKey) => void) {
    this.#server = server;
    this.#clock = clock;
    this.#options = options;
    this.#onAnswer = onAnswer;
    this.#pods = server.resource("pods");
  }

  keysOf(change: Parameters<Controller["keysOf"]>[0]): readonly ObjectKey[] {
    return isOf(change, this.#pods) ? [keyOf(this.#pods, change.object)] : [];
  }

  /** Says whether a pod is ready from now on, whatever the options say. @throws Refusal when there is none */
  setReady(key: ObjectKey, ready: boolean): void {
    this.#stateOf(this.#server.objects.get(key, key.name)).ready = ready;
    this.#onAnswer(key);
  }

  /** Forgets what was answered or set about a pod. */
  recheck(key: ObjectKey): void {
    const state = this.#states.get(`${key.namespace}/${key.name}`);
    if (state !== undefined) Object.assign(state, { ready: undefined, asked: undefined });
    this.#onAnswer(key);
  }

  reconcile({ namespace, name }: ObjectKey): number | undefined {
    const pod = this.#server.store.get(this.#pods, namespace, name);
    if (pod === undefined) {
      this.#states.delete(`${namespace}/${name}`);
      return undefined;
    }
    if (textAt(pod, "spec", "nodeName") === undefined) return undefined;
    const state = this.#stateOf(pod);
    if (isTerminating(pod)) return this.#terminate(pod, state);
    if (hasEnded(pod)) return undefined;
    if (textAt(pod, "status", "phase") !== "Running") {
      const problem = this.#options.podProblem?.(pod);
      const time = apiTime(this.#clock.now());
      this.#write(
        pod,
        problem === undefined ? running(pod, { ip: state.ip, ready: false }, time) : waiting(pod, problem, time),
      );
      return undefined;
    }
    state.runningSince ??= this.#clock.monotonic();
    const ready = this.#readiness(pod, state, state.runningSince);
    if (typeof ready === "number") return ready;
    if (ready !== undefined && ready !== isReady(pod)) {
      this.#write(pod, running(pod, { ip: state.ip, ready }, apiTime(this.#clock.now())));
    }
    return undefined;
  }

  /** Undefined when nobody says anything, a number when it is to be asked again after so many ms. */
  #readiness(pod: ApiObject, state: PodState, since: number): boolean | number | undefined {
    if (state.ready !== undefined) return state.ready;
    if (!workloads.includes(controllerOf(pod)?.kind ?? "")) return this.#ask(pod, state);
    const { readyMs = 0 } = this.#options;
    const text = textsAt(pod, "metadata", "annotations")?.[readyMsAnnotation];
    if (text === "never") return false;
    const left = since + (text === undefined ? readyMs : Number(text)) - this.#clock.monotonic();
    return left > 0 ? left : true;
  }

  #ask(pod: ApiObject, state: PodState): boolean | undefined {
    if (state.asked !== undefined) return undefined;
    const answer = this.#options.podIsReady?.(pod);
    if (answer === undefined || typeof answer === "boolean") return answer;
    state.asked = answer;
    const told = (ready: boolean) => {
      // Meanwhile it may have been asked anew, or set.
      if (state.asked !== answer) return;
      state.ready ??= ready;
      this.#onAnswer(keyOf(this.#pods, pod));
    };
    answer.then(told, () => told(false));
    return undefined;
  }

  #terminate(pod: ApiObject, state: PodState): number | undefined {
    const { name, namespace, uid } = pod.metadata;
    state.terminatingSince ??= this.#clock.monotonic();
    const graceMs = (numberAt(pod, "metadata", "deletionGracePeriodSeconds") ?? 0) * 1_000;
    const left = state.terminatingSince + Math.min(graceMs, this.#options.terminateMs ?? 0) - this.#clock.monotonic();
    if (left > 0) return left;
    const place = { resource: this.#pods, namespace };
    this.#server.objects.delete(place, name, { uid }, { manager: by.manager, gracePeriodSeconds: 0 });
    return undefined;
  }

  #write({ metadata }: ApiObject, status: unknown): void {
    const place = { resource: this.#pods, namespace: metadata.namespace };
    this.#server.objects.patch(place, metadata.name, { status }, by);
  }

  #stateOf(pod: ApiObject): PodState {
    const { uid, name, namespace } = pod.metadata;
    const key = `${namespace}/${name}`;
    const known = this.#states.get(key);
    if (known?.uid === uid) return known;
    const index = this.#addresses++;
    const made = {
      uid,
      ip: textAt(pod, "status", "podIP") ?? `10.244.${1 + Math.floor(index / 250)}.${2 + (index % 250)}`,
      runningSince: undefined,
      terminatingSince: undefined,
      ready: undefined,
      asked: undefined,
    };
    this.#states.set(key, made);
    return made;
  }
}
