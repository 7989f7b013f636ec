/** What was counted, as messages of the wire. Pure. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { PortStatsSchema, ServiceStatsSchema } from "../rpc/gen/api/v1/localizer_pb.ts";
import type { PortStats, ServiceStats } from "../rpc/service-stats.ts";

/** One service's. */
export function statsMessage(stats: ServiceStats): MessageInitShape<typeof ServiceStatsSchema> {
  const { namespace, name, engine, ports, pools } = stats;
  return { namespace, name, engine, ports: ports.map(portMessage), pools: pools.map((pool) => ({ ...pool })) };
}

function portMessage(stats: PortStats): MessageInitShape<typeof PortStatsSchema> {
  const { connectMs, lastFailure } = stats;
  return {
    ...stats,
    connectionsTotal: BigInt(stats.connectionsTotal),
    bytesUp: BigInt(stats.bytesUp),
    bytesDown: BigInt(stats.bytesDown),
    connectMs: { bounds: [...connectMs.bounds], counts: connectMs.counts.map(BigInt), sum: connectMs.sum },
    retries: BigInt(stats.retries),
    failures: BigInt(stats.failures),
    lastFailure: lastFailure && { ...lastFailure, timeMs: BigInt(lastFailure.timeMs) },
    bufferedUp: BigInt(stats.bufferedUp),
    bufferedDown: BigInt(stats.bufferedDown),
  };
}
