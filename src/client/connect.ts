/**
 * The door of the package for programs: `import { connect } from "localizer/client"`.
 *
 * Finds the running daemon as the command line does, and gives a typed client of it:
 *
 * ```ts
 * import { connect } from "localizer/client";
 *
 * await using daemon = await connect();
 * const { cluster, services } = await daemon.list();
 * console.log(`context ${cluster?.context}`);
 * for (const { namespace, name, status, ip } of services) console.log(`${namespace}/${name} ${status} ${ip}`);
 * ```
 *
 * Everything that it can throw is a `LocalizerError`: `isLocalizerError` knows one, its `code` says what kind it is
 * (`no-daemon`, `denied`, `timeout`, …), its message is a sentence for people.
 */
import * as errors from "../errors.ts";
import {
  connectDaemon,
  type CallOptions as RpcCallOptions,
  type DaemonClient as RpcDaemonClient,
  type ExposeOptions as RpcExposeOptions,
  type WatchOptions as RpcWatchOptions,
} from "../rpc/client.ts";
import type * as exposing from "../rpc/exposing.ts";
import type * as listed from "../rpc/listed.ts";
import type * as exposed from "../rpc/listed-exposure.ts";
import type * as counted from "../rpc/service-stats.ts";
import type * as stats from "../rpc/stats.ts";
import type * as environment from "../rpc/workload-environment.ts";
import { defaultSocket } from "./default-socket.ts";
import * as prometheus from "./prometheus-text.ts";

/**
 * The running daemon: `list`, `ping`, `stable`, `stats`, `watchStats`, `expose`, `stopExpose`, `workloadEnvironment`, `kill`. Every call
 * has a deadline, 30 s unless its options say otherwise; `watchStats`, `expose` and `stopExpose` have it for their first answer.
 */
export type DaemonClient = RpcDaemonClient;
/** What every call takes: a signal that ends it early, and how long it may take in milliseconds. */
export type CallOptions = RpcCallOptions;
/** What `watchStats` takes: a signal that ends it, how often it may tell, how long its first answer may take. */
export type WatchOptions = RpcWatchOptions;
/** What `expose` and `stopExpose` take beside the wish: a signal that ends the looking on, how long the first line may take. */
export type ExposeOptions = RpcExposeOptions;
/** Which Service `expose` lets come here, and how. */
export type ExposeRequest = exposing.ExposeRequest;
/** How the pod that stands in is made. */
export type ExposePodWish = exposing.ExposePodWish;
/** Which Service `stopExpose` gives back. */
export type StopExposeRequest = exposing.StopExposeAsk;
/** What `expose` and `stopExpose` tell, step by step. */
export type ExposeLine = exposing.ExposeLine;
/** Whose environment `workloadEnvironment` tells, and whether with what comes from Secrets. */
export type EnvironmentRequest = environment.EnvironmentAsk;
/** What it tells. */
export type WorkloadEnvironment = environment.WorkloadEnvironment;
/** A variable without a value, and why. */
export type OmittedVariable = environment.OmittedVariable;
/** A Service of the list whose traffic goes to a local process. */
export type ListedExposure = exposed.ListedExposure;
/** How it stands: starting, exposed, reconnecting, contended, lost, stopping, failed, or a newer daemon's word. */
export type ListedExposureState = exposed.ListedExposureState;
/** What was scaled to 0 for it. */
export type ListedExposureOwner = exposed.ListedExposureOwner;
/** One of its ports. */
export type ListedExposurePort = exposed.ListedExposurePort;
/** What `list` gives. */
export type ServiceList = listed.ServiceList;
/** A Service of the list. */
export type ListedService = listed.ListedService;
/** A port of a Service. */
export type ListedPort = listed.ListedPort;
/** A pod of a headless Service. */
export type ListedPod = listed.ListedPod;
/** A name that is not written, and why. */
export type SkippedName = listed.SkippedName;
/** Services that are not even listed, and why. */
export type LeftOut = listed.LeftOut;
/** How a Service or a port stands: listening, running, waiting, refusing, denied, conflict, skipped, or a newer daemon's word. */
export type ListedStatus = listed.ListedStatus;
/** What `stats` gives. */
export type Stats = stats.Stats;
/** What `watchStats` gives again and again: at first everything, then what has changed. */
export type StatsChange = stats.StatsChange;
/** What was counted of a Service since its tunnel was opened. */
export type ServiceStats = counted.ServiceStats;
/** What was counted of one port. */
export type PortStats = counted.PortStats;
/** The connections through the API server to one pod. */
export type PodPool = counted.PodPool;
/** Why a connection failed. */
export type ConnectionFailure = counted.ConnectionFailure;
/** How many fell between which bounds. */
export type Histogram = counted.Histogram;
/** What every call throws. */
export type LocalizerError = errors.LocalizerError;
/** What kind of failure a LocalizerError is. */
export type ErrorCode = errors.ErrorCode;
/** Which cluster the daemon serves. */
export type ClusterInfo = listed.ClusterInfo;

/** Which daemon is meant. */
export interface ConnectOptions {
  /** Its socket; without it $LOCALIZER_SOCKET, then the well-known link, then the user's own daemon. */
  readonly socketPath?: string;
}

/**
 * A client of the running daemon. It connects with the first call, which throws `no-daemon` when nobody answers, and again
 * after the daemon was replaced. Dispose of it (`await using`) to hang up: one that is left open keeps the process alive.
 * @throws LocalizerError `denied` when the only place for a socket is one that other users can enter
 */
export async function connect(options: ConnectOptions = {}): Promise<DaemonClient> {
  const { env } = process;
  const named = options.socketPath ?? (env.LOCALIZER_SOCKET || undefined);
  const uid = process.geteuid?.() ?? 0;
  return connectDaemon({ socketPath: named ?? (await defaultSocket({ env, uid })) });
}

/** What `stats` gave as Prometheus reads it (text exposition format 0.0.4), to be served under /metrics for instance. */
export function prometheusText(found: Stats): string {
  return prometheus.prometheusText(found);
}

/** Says whether what was thrown is one of localizer's own errors, whose `code` can be compared. */
export function isLocalizerError(thrown: unknown): thrown is LocalizerError {
  return thrown instanceof errors.LocalizerError;
}
