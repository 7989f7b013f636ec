/**
 * portforward: bytes to a pod's port, past every proxy in between. This is the room's one door; engines
 * and the pool stand behind it. Promises a Duplex or a LocalizerError that says why not. Used by the
 * daemon, which hands it to tunnels.
 */
import type { Clock } from "../clock.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import type { Endpoint, PodRef } from "../model/endpoint.ts";
import type { FarSide } from "../net/far-side.ts";
import { SpdyConnection } from "./spdy-connection.ts";
import { upgradeToSpdy } from "./upgrade.ts";

/** Settings of what dials. */
export interface DialPodOptions {
  /** Of localizer, for the User-Agent. */
  readonly version?: string | undefined;
}

/**
 * Opens a byte channel to the endpoint. Failures before a byte was delivered have the codes `refused`, `gone`, `denied` or
 * `unavailable`; a refusal by the pod comes as the stream's error, since the runtime dials only when the streams are open.
 */
export type DialPod = (endpoint: Endpoint, signal: AbortSignal) => Promise<FarSide>;

/**
 * Upgrades a connection to the pod and closes it: shows that port-forwarding works here without touching any of the
 * pod's ports. Throws as `DialPod` does.
 */
export async function probePod(
  cluster: Cluster,
  clock: Clock,
  pod: PodRef,
  signal: AbortSignal,
  options: DialPodOptions = {},
): Promise<void> {
  await using _connection = await connectPod(cluster, pod, { clock, signal, ...options });
}

/** An upgraded connection to the pod, the caller's. Throws as `DialPod` does. */
export async function connectPod(
  cluster: Cluster,
  pod: PodRef,
  options: { clock: Clock; signal: AbortSignal } & DialPodOptions,
): Promise<SpdyConnection> {
  const { socket, head } = await upgradeToSpdy(cluster, pod, options);
  return new SpdyConnection(socket, head, options.clock);
}
