/**
 * What the daemon is started with and what a running one offers. Types only, so that the command
 * that starts it needs nothing of this room until it runs. Used by cli/commands/run and daemon/daemon.
 */
import type { Logger } from "../log.ts";
import type { EngineName } from "../model/engine-name.ts";
import type { LoopbackRange } from "../model/loopback.ts";
import type { Port } from "../model/port.ts";

/** The user's settings, parsed and checked; whatever is left out the daemon chooses. */
export interface DaemonOptions {
  /** Path of the kubeconfig; without it $KUBECONFIG, then ~/.kube/config. */
  readonly kubeconfig?: string | undefined;
  /** The kubeconfig's context; without it the current one. */
  readonly context?: string | undefined;
  /** Only these namespaces; empty means all. */
  readonly namespaces: readonly string[];
  /** Never these namespaces. */
  readonly skipNamespaces: readonly string[];
  readonly clusterDomain: string;
  readonly range: LoopbackRange;
  readonly hostsFile?: string | undefined;
  readonly socket?: string | undefined;
  /** The user's own folder for what is remembered between runs. */
  readonly stateDir: string;
  /** The helper's own folder; root's, and closed to others. */
  readonly rootStateDir?: string | undefined;
  /** A label selector for Services, in the API's words. */
  readonly selector?: string | undefined;
  /** The namespace whose Services get their bare names; `off`: none; undefined: the context's. */
  readonly shortNames?: string | "off" | undefined;
  /** Namespaces that may be a name's suffix though they are top-level domains. */
  readonly allowSuffixes: readonly string[];
  /** Ports that are never listened on. */
  readonly skipPorts: readonly Port[];
  /** The one way that port-forwards may go; undefined: the first that works. */
  readonly engine?: EngineName | undefined;
  /** The image of an exposure's pod; undefined: the one of this version. */
  readonly exposeImage?: string | undefined;
  /** How long an exposure counts as living without a sign of life. */
  readonly exposeLeaseMs: number;
  /** How long an exposure may take to start: an image may have to be pulled. */
  readonly exposeStartMs: number;
  /** As plain root: run credential plug-ins all the same. */
  readonly allowRootExec: boolean;
  /** `none`: bind in this process and ask for nothing that needs root. */
  readonly helper: "auto" | "none";
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
  /** Of localizer, for the User-Agent. */
  readonly version: string;
}

/** A started daemon. Disposing it stops everything in order. */
export interface Daemon extends AsyncDisposable {
  /** The one line that ends the start: what answers now, and where. */
  readonly summary: string;
  /** Resolves when it was killed over RPC; rejects with the error that ends it. */
  readonly ended: Promise<void>;
}

/**
 * Starts everything; resolves when the first set of services is served. A start that fails has unwound what it made.
 * @throws LocalizerError `aborted` when the signal fires first
 */
export type StartDaemon = (options: DaemonOptions, signal: AbortSignal) => Promise<Daemon>;
