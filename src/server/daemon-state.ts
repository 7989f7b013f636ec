/** What the handlers ask of the daemon: the smallest view that answers every call. */
import type { ServiceStatus } from "../model/service-status.ts";

/** A Service, as `list` shows it. */
export interface ServiceRow {
  readonly namespace: string;
  readonly name: string;
  readonly status: ServiceStatus;
  /** The pod that the newest connection went to, or the one the next would take; empty without one. */
  readonly endpoint: string;
  /** Why the status is what it is, as a sentence; empty when there is nothing to say. */
  readonly statusReason: string;
  /** The loopback address; empty when there is no tunnel. */
  readonly ip: string;
  /** "80/TCP" each. */
  readonly ports: readonly string[];
}

/** The daemon as seen from the wire. */
export interface DaemonState {
  /** Every Service, in any order. */
  list(): readonly ServiceRow[];
  /** True when every wished-for tunnel is decided and the hosts file is written. */
  isStable(): boolean;
  /** Stops everything but this server, in order. Called once; must end by itself. */
  stop(): Promise<void>;
}
