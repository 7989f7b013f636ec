/** What was counted of a Service, as plain objects: in `List`, `Stats` and `WatchStats`. Pure. */
import type {
  ConnectionFailure as ConnectionFailureMessage,
  Histogram as HistogramMessage,
  PodPool as PodPoolMessage,
  PortStats as PortStatsMessage,
  ServiceStats as ServiceStatsMessage,
} from "./gen/api/v1/localizer_pb.ts";

/** How many fell between which bounds. */
export interface Histogram {
  /** Upper bounds, rising. */
  readonly bounds: readonly number[];
  /** One for each bound, and one for what lay above the last; each observation counts once. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** Why a connection failed. */
export interface ConnectionFailure {
  readonly message: string;
  /** `refused`, `gone`, `denied`, `timeout`, `unavailable`, … */
  readonly code: string;
  /** The pod that was tried last; empty: none was ready. */
  readonly pod: string;
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
}

/** What was counted of one port. */
export interface PortStats {
  readonly port: number;
  /** The pod of a headless Service whose own port it is; empty: the Service's. */
  readonly hostname: string;
  /** Open now, those among them that still look for a pod. */
  readonly connections: number;
  readonly connectionsTotal: number;
  /** From applications to pods, those of open connections too. */
  readonly bytesUp: number;
  /** From pods to applications, those of open connections too. */
  readonly bytesDown: number;
  /**
   * How long callers waited for the pod's first byte, in ms: from the accept on, or from the caller's own first byte if
   * that came later. Connections to which the pod said nothing are not in it.
   */
  readonly connectMs: Histogram;
  /** Tries after the first of each connection, on another pod or on the same. */
  readonly retries: number;
  readonly failures: number;
  /** Stays when later connections go well. */
  readonly lastFailure: ConnectionFailure | undefined;
  /** Connections whose application reads more slowly than its pod sends. */
  readonly slowReaders: number;
  /** Connections whose pod takes less than the application sends. */
  readonly slowPods: number;
  /** Bytes that wait in the daemon on their way to a pod. */
  readonly bufferedUp: number;
  /** Bytes that wait in the daemon on their way to an application. */
  readonly bufferedDown: number;
}

/** The connections through the API server to one pod, which carry streams; none by the engine `v4`. */
export interface PodPool {
  readonly pod: string;
  readonly uid: string;
  readonly connections: number;
  /** Connections that nobody uses. */
  readonly free: number;
  /** Streams in use: one for each connection to the pod that is open. */
  readonly streams: number;
  /** Streams that the container runtime has not let go of yet. */
  readonly lingering: number;
  /** Connections that are being made. */
  readonly dialling: number;
  /** Connections of applications that wait for one. */
  readonly waiting: number;
  /** Streams whose application is behind: nothing is read from their connection until it has caught up. */
  readonly paused: number;
  /** Connections that take our bytes more slowly than they come. */
  readonly backlogged: number;
  /** From pings, to the container runtime and back, of the quickest; undefined until one was answered. */
  readonly rttMs: number | undefined;
}

/** What was counted of a Service since its tunnel was opened. */
export interface ServiceStats {
  readonly namespace: string;
  readonly name: string;
  /** The way that its port-forwards go; empty until one has worked. */
  readonly engine: string;
  /** Those that have had connections. */
  readonly ports: readonly PortStats[];
  /** A pod of several Services stands with each of them. */
  readonly pools: readonly PodPool[];
}

/** A service's, plain. */
export function serviceStatsOf({ namespace, name, engine, ports, pools }: ServiceStatsMessage): ServiceStats {
  return { namespace, name, engine, ports: ports.map(portOf), pools: pools.map(poolOf) };
}

// None of the counts comes near 2^53.
function portOf(message: PortStatsMessage): PortStats {
  const { port, hostname, connections, slowReaders, slowPods, connectMs, lastFailure } = message;
  return {
    ...{ port, hostname, connections, slowReaders, slowPods },
    connectionsTotal: Number(message.connectionsTotal),
    bytesUp: Number(message.bytesUp),
    bytesDown: Number(message.bytesDown),
    connectMs: histogramOf(connectMs),
    retries: Number(message.retries),
    failures: Number(message.failures),
    lastFailure: lastFailure && failureOf(lastFailure),
    bufferedUp: Number(message.bufferedUp),
    bufferedDown: Number(message.bufferedDown),
  };
}

function histogramOf(message: HistogramMessage | undefined): Histogram {
  const { bounds = [], counts = [], sum = 0 } = message ?? {};
  return { bounds: [...bounds], counts: counts.map(Number), sum };
}

function failureOf({ message, code, pod, timeMs }: ConnectionFailureMessage): ConnectionFailure {
  return { message, code, pod, timeMs: Number(timeMs) };
}

function poolOf(message: PodPoolMessage): PodPool {
  const { pod, uid, connections, free, streams, lingering, dialling, waiting, paused, backlogged, rttMs } = message;
  return { pod, uid, connections, free, streams, lingering, dialling, waiting, paused, backlogged, rttMs };
}
