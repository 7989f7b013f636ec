/** What a tunnel is handed, is told and tells: the types that it shares with its ports. */
import type { Clock } from "../clock.ts";
import type { LocalizerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { Port } from "../model/port.ts";
import type { FarSide } from "../net/far-side.ts";
import type { Listen, ListenAddress } from "../net/listen.ts";
import type { IsReset, PeerEndOf } from "../net/local-end.ts";
import type { WhoHolds } from "../net/port-holder.ts";
import type { PortTraffic } from "./port-traffic.ts";

/** What a tunnel works with. */
export interface TunnelComponents {
  readonly listen: Listen;
  /** Opens a byte channel to a pod's port. Once it is open the pod may still refuse: that is the stream's error. */
  readonly dial: (endpoint: Endpoint, signal: AbortSignal) => Promise<FarSide>;
  /** Says who is in the way when a port is taken; without it the port's error does not say. */
  readonly whoHolds?: WhoHolds;
  /** Tells an application that has closed from one that waits for the answer; without it that is guessed by silence. */
  readonly peerEnd?: PeerEndOf | undefined;
  /** Tells of an application that has broken off while nobody reads it; without it that is noticed when the pod reads on. */
  readonly isReset?: IsReset | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** One port as it should be: where connections to it go now. */
export interface TunnelPortSpec {
  readonly port: Port;
  readonly endpoints: readonly Endpoint[];
  /** So long after its last connection a caller is led to the same pod (`sessionAffinity: ClientIP`); absent: no matter which. */
  readonly affinityMs?: number;
}

/**
 * How a port stands. `listening`: it accepts, and a pod is ready; `waiting`: no pod has been ready for less than 5 s, it
 * accepts, or its listener is just being opened; `refusing`: longer, so its listener is closed until one is; `failed`: it could not be bound (`bindError`).
 */
export type TunnelPortState = "listening" | "waiting" | "refusing" | "failed";

/** One port as it is. */
export interface TunnelPortStatus {
  readonly port: Port;
  readonly state: TunnelPortState;
  /** Where it really listens: without root a low port is shifted. Undefined when it does not listen. */
  readonly at: ListenAddress | undefined;
  /** Why it could not be bound; undefined unless it is `failed`. */
  readonly bindError: LocalizerError | undefined;
  /** The pod of the newest connection, or else one that could take the next. */
  readonly endpoint: Endpoint | undefined;
  readonly ready: number;
  readonly connections: number;
  readonly lastError: LocalizerError | undefined;
  /** What was counted, live; undefined while there never was a connection. */
  readonly traffic: PortTraffic | undefined;
}
