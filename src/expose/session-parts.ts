/** What the parts of a session share: what it is made from, what it is set to, and what it holds while it lives. Types only. */
import type { Duplex } from "node:stream";
import type { Followed, ObjectCache } from "../kube/object-cache.ts";
import type { Logger } from "../log.ts";
import type { Port } from "../model/port.ts";
import type { SshConnection } from "../ssh/ssh-connection.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { Journal } from "./journal.ts";
import type { ExposePlan, FoundOwners } from "./plan.ts";
import type { PodOptions } from "./pod-options.ts";
import type { SessionRecord } from "./records.ts";
import type { ScaleComponents } from "./scale.ts";
import type { SeenLease } from "./session-lease.ts";
import type { SessionPod, WatchedPod } from "./session-pod.ts";
import type { TunnelComponents } from "./session-tunnel.ts";

/** What sessions are made from. */
export interface SessionComponents extends ScaleComponents, TunnelComponents {
  readonly cache: Pick<ObjectCache, "follow">;
  readonly journal: Journal;
  readonly log: Logger;
  /** The owners that the Service's pods have now, without those of sessions. */
  readonly findOwners: (plan: ExposePlan, signal: AbortSignal) => Promise<FoundOwners>;
}

/** What they are set to. */
export interface SessionSettings {
  /** The API server's URL. */
  readonly server: string;
  readonly pod: PodOptions;
  /** Without a sign of life for so long a session counts as dead. */
  readonly leaseMs: number;
  /** Between two signs of life. */
  readonly renewMs: number;
  /** How long a start may take in all. */
  readonly startMs: number;
}

/** The local end of one port. */
export interface SessionPort {
  readonly remote: Port;
  readonly take: (channel: Duplex) => void;
}

/** What a session holds. Its parts write here what they have made, so that an end knows. */
export interface SessionHoldings {
  /** Its selector follows the Service's. */
  plan: ExposePlan;
  readonly ports: readonly SessionPort[];
  /** Of this session and those beside it in this process. */
  readonly mates: () => readonly string[];
  readonly pods: Followed<WatchedPod>;
  record: SessionRecord;
  /** As it was made. */
  lease?: SeenLease;
  heartbeat?: Heartbeat;
  pod?: SessionPod;
  ssh?: SshConnection;
  /** Pods that were made so far. */
  attempts: number;
}
