/** What the handlers ask of the daemon: the smallest view that answers every call. */
import type { ServiceStatus } from "../model/service-status.ts";

/** Which cluster the daemon serves; stands in every answer. */
export interface ClusterInfo {
  readonly context: string;
  readonly cluster: string;
  /** The API server's URL. */
  readonly server: string;
  /** The context's namespace; empty when it names none. */
  readonly namespace: string;
  /** The namespaces that are followed; empty: all of them. */
  readonly namespaces: readonly string[];
  /** The way that port-forwards go: post-spdy, get-spdy, websocket or v4; empty until one has worked. */
  readonly portForwardEngine: string;
}

/** One port of a tunnel. */
export interface PortRow {
  readonly port: number;
  /** As a Service's, in one word. */
  readonly status: ServiceStatus;
  readonly reason: string;
  /** "127.1.2.3:80", or where it was shifted to; empty when it does not listen. */
  readonly listen: string;
  readonly readyPods: number;
  readonly connections: number;
  readonly lastError: string;
}

/** A pod with names of its own. */
export interface PodRow {
  readonly hostname: string;
  readonly ip: string;
  readonly names: readonly string[];
  readonly ports: readonly PortRow[];
}

/** A name that was left out, and why. */
export interface SkippedName {
  readonly name: string;
  readonly reason: string;
}

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
  /** What the hosts file has for its address, longest first. */
  readonly names: readonly string[];
  readonly skippedNames: readonly SkippedName[];
  readonly portRows: readonly PortRow[];
  readonly pods: readonly PodRow[];
}

/** The daemon as seen from the wire. */
export interface DaemonState {
  cluster(): ClusterInfo;
  /** What concerns the daemon as a whole and asks for somebody's attention, a sentence each. */
  notices(): readonly string[];
  /** Every Service, in any order. */
  list(): readonly ServiceRow[];
  /** True when every wished-for tunnel is decided and the hosts file is written. */
  isStable(): boolean;
  /** Stops everything but this server, in order. Called once; must end by itself. */
  stop(): Promise<void>;
}
