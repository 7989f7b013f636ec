/** What `Stats` and `WatchStats` answer, as plain objects. Pure. */
import type { StatsResponse, WatchStatsResponse } from "./gen/api/v1/localizer_pb.ts";
import { type ClusterInfo, clusterInfoOf } from "./listed.ts";
import { type ServiceStats, serviceStatsOf } from "./service-stats.ts";

/** What was counted, by Service. */
export interface Stats {
  readonly cluster: ClusterInfo | undefined;
  /** Those that have had a connection, in any order. */
  readonly services: readonly ServiceStats[];
}

/** What has changed: at first everything. */
export interface StatsChange {
  readonly services: readonly ServiceStats[];
  /** Those of earlier changes that are no more. */
  readonly removed: readonly { readonly namespace: string; readonly name: string }[];
}

/** The answer, plain. */
export function statsOf({ cluster, services }: StatsResponse): Stats {
  return { cluster: cluster && clusterInfoOf(cluster), services: services.map(serviceStatsOf) };
}

/** The change, plain. */
export function statsChangeOf({ services, removed }: WatchStatsResponse): StatsChange {
  return {
    services: services.map(serviceStatsOf),
    removed: removed.map(({ namespace, name }) => ({ namespace, name })),
  };
}
