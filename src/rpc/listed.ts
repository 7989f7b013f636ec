/**
 * What `List` answers, as plain objects: without the marks that generated messages carry, so that they can be compared,
 * printed as JSON and described without a word of protobuf. Pure.
 */
import type {
  ClusterInfo as ClusterInfoMessage,
  ListResponse,
  ListService,
  PodRow,
  PortRow,
} from "./gen/api/v1/localizer_pb.ts";

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

/** One port of a tunnel. */
export interface ListedPort {
  readonly port: number;
  /** As a Service's. */
  readonly status: string;
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
  /** listening, running, waiting, refusing, denied, conflict or skipped; a newer daemon may send another word. */
  readonly status: string;
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
}

/** Everything that `list` shows. */
export interface ServiceList {
  /** Undefined when the daemon is too old to tell. */
  readonly cluster: ClusterInfo | undefined;
  /** What concerns the daemon as a whole and asks for somebody's attention, a sentence each. */
  readonly notices: readonly string[];
  readonly services: readonly ListedService[];
}

/** The answer, plain. */
export function serviceListOf({ cluster, notices, services }: ListResponse): ServiceList {
  return { cluster: cluster && clusterInfoOf(cluster), notices: [...notices], services: services.map(serviceOf) };
}

/** The cluster, plain. */
export function clusterInfoOf(message: ClusterInfoMessage): ClusterInfo {
  const { context, cluster, server, namespace, namespaces, portForwardEngine } = message;
  return { context, cluster, server, namespace, namespaces: [...namespaces], portForwardEngine };
}

function serviceOf(message: ListService): ListedService {
  const { namespace, name, status, statusReason, endpoint, ip } = message;
  return {
    ...{ namespace, name, status, statusReason, endpoint, ip },
    ports: [...message.ports],
    names: [...message.names],
    skippedNames: message.skippedNames.map((skipped) => ({ name: skipped.name, reason: skipped.reason })),
    portRows: message.portRows.map(portOf),
    pods: message.pods.map(podOf),
  };
}

function podOf({ hostname, ip, names, ports }: PodRow): ListedPod {
  return { hostname, ip, names: [...names], ports: ports.map(portOf) };
}

function portOf({ port, status, reason, listen, readyPods, connections, lastError }: PortRow): ListedPort {
  return { port, status, reason, listen, readyPods, connections, lastError };
}
