/** What was counted, by service: tunnel's counters and the pools of the pods behind it, as plain rows. */
import type { ServedState } from "../controller/served-service.ts";
import type { EngineName } from "../model/engine-name.ts";
import { nameOf, namespaceOf } from "../model/service-key.ts";
import type { PodPoolStats } from "../portforward/pool-members.ts";
import type { ConnectionFailure, PodPool, PortStats, ServiceStats } from "../rpc/service-stats.ts";
import { boundsMs } from "../tunnel/histogram.ts";
import type { PortFailure, PortTraffic } from "../tunnel/port-traffic.ts";

/** What is known of the way to pods. */
export interface PodWays {
  /** Those that have connections, by their pods' UIDs: one that has left and is dialled again has two. */
  readonly pools: ReadonlyMap<string, readonly PodPoolStats[]>;
  engineIn(namespace: string): EngineName | undefined;
}

type CountedState = Pick<ServedState, "key" | "ports" | "pods">;

/** The figures as they are now; undefined for a service that never had a connection. */
export function serviceStats({ key, ports, pods }: CountedState, ways: PodWays): ServiceStats | undefined {
  const rows: PortStats[] = [];
  // Sorted, for the order of what is told is no news.
  const uids = new Set<string>();
  for (const { hostname, ports: own } of [{ hostname: "", ports }, ...pods]) {
    for (const { port, traffic } of own) {
      if (traffic === undefined) continue;
      rows.push(portStats(port, hostname, traffic));
      for (const uid of traffic.pods) uids.add(uid);
    }
  }
  if (rows.length === 0) return undefined;
  const namespace = namespaceOf(key);
  const pools = [...uids].sort().flatMap((uid) => ways.pools.get(uid)?.map(podPool) ?? []);
  return { namespace, name: nameOf(key), engine: ways.engineIn(namespace) ?? "", ports: rows, pools };
}

function portStats(port: number, hostname: string, traffic: PortTraffic): PortStats {
  const { backpressure, firstByte, lastFailure } = traffic;
  return {
    port,
    hostname,
    connections: traffic.connections,
    connectionsTotal: traffic.total,
    bytesUp: traffic.bytesUp,
    bytesDown: traffic.bytesDown,
    connectMs: { bounds: boundsMs, counts: firstByte.counts, sum: firstByte.sumMs },
    retries: traffic.retries,
    failures: traffic.failures,
    lastFailure: lastFailure && failure(lastFailure),
    slowReaders: backpressure.slowReaders,
    slowPods: backpressure.slowPods,
    bufferedUp: backpressure.bufferedUp,
    bufferedDown: backpressure.bufferedDown,
  };
}

function failure({ error, endpoint, atMs }: PortFailure): ConnectionFailure {
  return { message: error.message, code: error.code, pod: endpoint?.pod.name ?? "", timeMs: Math.round(atMs) };
}

function podPool({ pod, ...counts }: PodPoolStats): PodPool {
  return { pod: pod.name, uid: pod.uid, ...counts };
}
