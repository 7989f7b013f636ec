/** What the handlers ask of the daemon: the smallest view that answers every call. What it tells are the rows of `List`, with known words. */
import type { ServiceStatus } from "../model/service-status.ts";
import type { ExposeLine, ExposeWish, StopExposeWish } from "../rpc/exposing.ts";
import type { ClusterInfo, LeftOut, ListedPod, ListedPort, ListedService } from "../rpc/listed.ts";
import type { ListedExposure } from "../rpc/listed-exposure.ts";
import type { ServiceStats } from "../rpc/service-stats.ts";
import type { EnvironmentWish, WorkloadEnvironment } from "../rpc/workload-environment.ts";

/** One port of a tunnel. */
export interface PortRow extends ListedPort {
  readonly status: ServiceStatus;
}

/** A pod with names of its own. */
export interface PodRow extends ListedPod {
  readonly ports: readonly PortRow[];
}

/** A Service, as `list` shows it. */
export interface ServiceRow extends ListedService {
  readonly status: ServiceStatus;
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
  /** What was counted of each Service that has had a connection, in any order. */
  stats(): readonly ServiceStats[];
  /** What is not in the list though it may exist. */
  leftOut(): readonly LeftOut[];
  /** The label selector that Services are picked by; empty: none. */
  selector(): string;
  /**
   * Lets a Service's traffic go to a local process. Goes on by itself whether the lines are read or not: dropping the iterable
   * cancels nothing, and neither does `return()`, which nobody calls. It ends when traffic can flow; the last line then has the
   * step `exposed` and says what leads where (after a dry run it ends without). What it throws has been logged.
   * @throws LocalizerError from the iterable: why it is not exposed
   */
  expose(wish: ExposeWish): AsyncIterable<ExposeLine>;
  /**
   * Gives a Service back, in the same manner. It ends when everything is as it was; the last line then has the step `ended`.
   * @throws LocalizerError from the iterable: `not-found` when it is not exposed, or why not all could be given back
   */
  stopExpose(wish: StopExposeWish): AsyncIterable<ExposeLine>;
  /** Every Service that is exposed, or about to be, or was and failed, in any order. */
  exposures(): readonly ListedExposure[];
  /**
   * What the workload behind a Service has in its environment. Reads from the cluster and changes nothing.
   * @throws LocalizerError `not-found`, `conflict` or `usage` as for an exposure; else as the API says no
   */
  workloadEnvironment(wish: EnvironmentWish): Promise<WorkloadEnvironment>;
  /** True when every wished-for tunnel is decided and the hosts file is written. */
  isStable(): boolean;
  /** Fires when the stop begins, whoever asked for it. */
  readonly stopping: AbortSignal;
  /** Stops everything but this server, in order. Called once; must end by itself. */
  stop(): Promise<void>;
}
