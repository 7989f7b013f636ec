/** What the parts of a session share: what it is made from, what it is set to, and what it holds while it lives. Types only. */
import type { Duplex } from "node:stream";
import type { Followed, ObjectCache } from "../kube/object-cache.ts";
import type { Logger } from "../log.ts";
import type { Port } from "../model/port.ts";
import type { SshConnection } from "../ssh/ssh-connection.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { Journal } from "./journal.ts";
import type { LocalSide } from "./local-side.ts";
import type { ExposePlan, FoundOwners, OwnersQuestion } from "./plan.ts";
import type { PodOptions } from "./pod-options.ts";
import type { SessionRecord } from "./records.ts";
import type { Report } from "./report.ts";
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
  readonly findOwners: (asked: OwnersQuestion, signal: AbortSignal) => Promise<FoundOwners>;
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
  readonly refused: (reason: string) => void;
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
  /** Whether anything was sent to an owner, with or without an answer. */
  hasScaled?: boolean;
  heartbeat?: Heartbeat;
  pod?: SessionPod;
  ssh?: SshConnection;
  /** Pods that were made so far. */
  attempts: number;
}

/** How a step of a session is taken. */
export interface StepOptions {
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** Who a session is. */
export interface SessionWish {
  readonly plan: ExposePlan;
  readonly record: SessionRecord;
  /** A local end for each of the plan's ports, in their order; the session disposes them. */
  readonly sides: readonly LocalSide[];
  /** Of this session and those beside it in this process. */
  readonly mates: () => readonly string[];
  /** The start's last step before traffic can come; may be called again after it failed. */
  readonly beforeLabels?: (options: StepOptions) => Promise<void>;
}

/** Who hears what becomes of it. */
export interface SessionEvents {
  /** It is over, and nothing is left of it. */
  readonly onEnd: () => void;
  /** Something is left that nobody is at: `tryAgain` wants to be called, now and then, or at once if it was not tried yet. */
  readonly onLeft: (how: { readonly atOnce: boolean }) => void;
}

/** How a session ends. */
export interface StopOptions {
  readonly report: Report;
  /** Ends all waiting: what is not back by then is left to the next start. */
  readonly signal: AbortSignal;
  /** How long putting back may take, once nobody else is at it: whether somebody is may take a claim's time to see. */
  readonly limitMs: number;
  /** How long the workload may take to become ready before our pod goes; 0: do not wait. */
  readonly waitMs: number;
  /** All sessions of this process end at once. */
  readonly together?: boolean;
}
