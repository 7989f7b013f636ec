/** What a tunnel is handed, is told and tells: the types that it shares with its ports. */
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import type { LocalizerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { Port } from "../model/port.ts";
import type { Listen } from "../net/listen.ts";

/** What a tunnel works with. */
export interface TunnelComponents {
  readonly listen: Listen;
  /** Opens a byte channel to a pod's port. Once it is open the pod may still refuse: that is the stream's error. */
  readonly dial: (endpoint: Endpoint, signal: AbortSignal) => Promise<Duplex>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** One port as it should be: where connections to it go now. */
export interface TunnelPortSpec {
  readonly port: Port;
  readonly endpoints: readonly Endpoint[];
}

/** One port as it is. */
export interface TunnelPortStatus {
  readonly port: Port;
  /** Why it does not listen; undefined when it does. */
  readonly bindError: LocalizerError | undefined;
  /** The pod of the newest connection, or else one that could take the next. */
  readonly endpoint: Endpoint | undefined;
  readonly ready: number;
  readonly connections: number;
  readonly lastError: LocalizerError | undefined;
}
