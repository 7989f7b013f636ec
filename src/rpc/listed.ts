/**
 * What `List` answers, as plain objects: without the marks that generated messages carry, so that they can be compared,
 * printed as JSON and described without a word of protobuf. Pure.
 */
import type { ServiceStatus } from "../model/service-status.ts";
import type {
  ClusterInfo as ClusterInfoMessage,
  ListResponse,
  ListService,
  PodRow,
  PortRow,
} from "./gen/api/v1/localizer_pb.ts";
import { exposureOf, type ListedExposure } from "./listed-exposure.ts";
import { type ServiceStats, serviceStatsOf } from "./service-stats.ts";

/** Which cluster the daemon serves. */
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

/** How a Service or a port stands: a word that is known, or one of a newer daemon. */
export type ListedStatus = ServiceStatus | (string & Record<never, never>);

/** One port of a tunnel. */
export interface ListedPort {
  readonly port: number;
  /** As a Service's. */
  readonly status: ListedStatus;
  readonly reason: string;
  /** "127.1.2.3:80", or where it was shifted to; empty when it does not listen. */
  readonly listen: string;
  /** How many pods could take a connection now. */
  readonly readyPods: number;
  /** How many are open now. */
  readonly connections: number;
  /** The last failed connection's reason; empty once one has succeeded. */
  readonly lastError: string;
}

/** A pod of a headless Service, with names and an address of its own. */
export interface ListedPod {
  readonly hostname: string;
  readonly ip: string;
  readonly names: readonly string[];
  readonly ports: readonly ListedPort[];
}

/** A name that is not written, and why. */
export interface SkippedName {
  readonly name: string;
  readonly reason: string;
}

/** A Service, as it came over the wire. What an older daemon does not send is empty. */
export interface ListedService {
  readonly namespace: string;
  readonly name: string;
  readonly status: ListedStatus;
  /** Why the status is what it is; empty when there is nothing to say. */
  readonly statusReason: string;
  /** The pod that the newest connection went to, or the one the next would take. */
  readonly endpoint: string;
  /** The loopback address; empty when there is no tunnel. */
  readonly ip: string;
  /** "80/TCP" each. */
  readonly ports: readonly string[];
  /** What the hosts file has for its address, longest first. */
  readonly names: readonly string[];
  readonly skippedNames: readonly SkippedName[];
  readonly portRows: readonly ListedPort[];
  readonly pods: readonly ListedPod[];
  /** Not all of its names stand in the hosts file, yet. */
  readonly namesPending: boolean;
  /** What was counted; absent while there never was a connection, or when the daemon is too old to count. */
  readonly stats?: ServiceStats;
}

/** Services that are not even listed, and why. */
export interface LeftOut {
  /** "*": every namespace that is not followed. */
  readonly namespace: string;
  /** Empty: all of the namespace. */
  readonly name: string;
  /** `skipped`: somebody wished it so; `denied`: a right is missing. */
  readonly status: ListedStatus;
  /** What leaves them out, and how they are brought. */
  readonly reason: string;
}

/** Everything that `list` shows. */
export interface ServiceList {
  /** Undefined when the daemon is too old to tell. */
  readonly cluster: ClusterInfo | undefined;
  /** What concerns the daemon as a whole and asks for somebody's attention, a sentence each. */
  readonly notices: readonly string[];
  readonly services: readonly ListedService[];
  /** What is not among them though it may exist. */
  readonly leftOut: readonly LeftOut[];
  /** The label selector that they are picked by; empty: none. */
  readonly selector: string;
  /** Services whose traffic goes to a local process; none when the daemon is too old to expose any. */
  readonly exposures: readonly ListedExposure[];
}

/** The answer, plain. */
export function serviceListOf(message: ListResponse): ServiceList {
  const { cluster, notices, services, leftOut, selector, exposures } = message;
  return {
    cluster: cluster && clusterInfoOf(cluster),
    notices: [...notices],
    services: services.map(serviceOf),
    leftOut: leftOut.map(({ namespace, name, status, reason }) => ({ namespace, name, status, reason })),
    selector,
    exposures: exposures.map(exposureOf),
  };
}

/** The cluster, plain. */
export function clusterInfoOf(message: ClusterInfoMessage): ClusterInfo {
  const { context, cluster, server, namespace, namespaces, portForwardEngine } = message;
  return { context, cluster, server, namespace, namespaces: [...namespaces], portForwardEngine };
}

function serviceOf(message: ListService): ListedService {
  const { namespace, name, status, statusReason, endpoint, ip, namesPending } = message;
  return {
    ...{ namespace, name, status, statusReason, endpoint, ip, namesPending },
    ports: [...message.ports],
    names: [...message.names],
    skippedNames: message.skippedNames.map((skipped) => ({ name: skipped.name, reason: skipped.reason })),
    portRows: message.portRows.map(portOf),
    pods: message.pods.map(podOf),
    ...(message.stats && { stats: serviceStatsOf(message.stats) }),
  };
}

function podOf({ hostname, ip, names, ports }: PodRow): ListedPod {
  return { hostname, ip, names: [...names], ports: ports.map(portOf) };
}

function portOf({ port, status, reason, listen, readyPods, connections, lastError }: PortRow): ListedPort {
  return { port, status, reason, listen, readyPods, connections, lastError };
}
