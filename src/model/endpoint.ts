/** Where a connection goes: a pod, known by its UID, and a port of it. */
import type { Port } from "./port.ts";

/** A pod of the cluster. Two pods with one name are told apart by their UID. */
export interface PodRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** The name of the node it runs on, where that is known. */
  readonly node?: string;
}

/** A pod's port that can take a connection now. */
export interface Endpoint {
  readonly pod: PodRef;
  readonly port: Port;
}
