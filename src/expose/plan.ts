/** What preflight found out about a Service: all that a session has to know before it changes anything. */
import type { ApiResource } from "../kube/list-watch.ts";
import type { Port } from "../model/port.ts";
import type { ServiceKey } from "../model/service-key.ts";

/** An object that has a number of replicas and can be scaled. */
export interface OwnerRef extends ApiResource {
  /** "Deployment" */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** An owner of the Service's pods, the last on the way up that can be scaled. */
export interface PlannedOwner extends OwnerRef {
  /** What it is set to now. */
  readonly replicas: number;
  /** `spec`: `spec.replicas` can be patched together with annotations; `scale`: only the subresource knows where the number is. */
  readonly scaleBy: "spec" | "scale";
  /** It would take our pod for one of its own, and delete it, unless that had a controller (verified.md 3.4). */
  readonly adopts: boolean;
  /** A StatefulSet whose volumes are deleted with its pods; absent means no. */
  readonly losesVolumes?: boolean;
  /** It has living pods that the Service does not lead to; absent means no. */
  readonly partlyServed?: boolean;
}

/** For whose owners is asked. */
export interface OwnersQuestion extends Pick<ExposePlan, "key" | "selector"> {
  /** Whom the asker has recorded. */
  readonly known?: readonly Pick<PlannedOwner, "uid">[];
}

/** Who stands behind a Service. */
export interface FoundOwners {
  readonly owners: readonly PlannedOwner[];
  /** Whom nobody can scale, or read: `DaemonSet "cart", which cannot be scaled to 0`. */
  readonly closed: readonly string[];
}

/** What scaling does to an owner that `losesVolumes`. */
export function volumeLoss(owner: string): string {
  return `scaling ${owner} to 0 deletes its volumes and what is on them (whenScaled: Delete)`;
}

/** What scaling does to an owner that is `partlyServed`; of how many pods, where that is known. */
export function partialLoss(owner: string, pods?: { readonly served: number; readonly lost: number }): string {
  const what = `scaling ${owner} to 0 takes`;
  if (pods === undefined) return `${what} pods away that the Service does not lead to`;
  const all = pods.served + pods.lost;
  return all === 1
    ? `${what} away its only pod, which the Service does not lead to`
    : `${what} away all ${all} of its pods, and the Service leads to ${pods.served || "none"} of them`;
}

/** A loss as a warning, once the user has agreed to it. */
export function allowedLoss(loss: string): string {
  return `${loss.charAt(0).toUpperCase()}${loss.slice(1)}, which you have allowed`;
}

/** One TCP port of the Service, and where its connections shall go. */
export interface ExposedPort {
  /** The Service's port, and its name there; empty when it has none. */
  readonly servicePort: Port;
  readonly name: string;
  /** The pod's port that the Service leads to, and the name that the Service calls it by; empty when it says a number. */
  readonly remote: Port;
  readonly remoteName: string;
  /** The port of the local process. */
  readonly local: Port;
}

/** What our pod takes over from the pods that it stands in for. */
export interface PodSettings {
  readonly imagePullSecrets: readonly string[];
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** As the API has them. */
  readonly tolerations: readonly unknown[];
  readonly priorityClassName?: string;
  /** Only for a headless Service whose pods have names of their own. */
  readonly hostname?: string;
  readonly subdomain?: string;
  /** A node that the pod had better not run on. */
  readonly avoidedNode?: string;
  /** Of OpenShift's annotation `openshift.io/sa.scc.uid-range`, where the namespace has it. */
  readonly runAsUser?: number;
}

/** What a session will do. */
export interface ExposePlan {
  readonly key: ServiceKey;
  readonly serviceUid: string;
  readonly selector: Readonly<Record<string, string>>;
  /** At least one. */
  readonly ports: readonly ExposedPort[];
  /** May be empty: then nothing is scaled, and our pod is one of several, or the only one. */
  readonly owners: readonly PlannedOwner[];
  readonly pod: PodSettings;
  /**
   * All that would take our pod for one of their own, `ReplicaSet "cart"`: the owners that `adopt`, and workloads of the namespace that
   * have nothing to do with the Service otherwise. With any of them our pod needs a controller (verified.md 3.4).
   */
  readonly adopters?: readonly string[];
  /** Names of the user's labels by which other Services would lead to our pod: it gets them with the selector; absent means none. */
  readonly lateLabels?: readonly string[];
  /** Volumes may go with the pods of an owner that `losesVolumes`; absent means no. */
  readonly allowsVolumeLoss?: boolean;
  /** An owner that is `partlyServed` may be scaled; absent means no. */
  readonly allowsPartial?: boolean;
  /** What is wrong and stays so, though it goes ahead: bare pods, which nobody can scale. A sentence each; absent means none. */
  readonly errors?: readonly string[];
  /** What the user should know beforehand, a sentence each: autoscalers, GitOps, operators, other Services that lose their endpoints, … */
  readonly warnings: readonly string[];
}
