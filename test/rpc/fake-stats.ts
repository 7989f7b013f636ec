/** What a daemon counts, made by hand. */
import type { PodPool, PortStats, ServiceStats } from "../../src/rpc/service-stats.ts";

/** A port with one connection behind it, which waited 4 ms for its answer. */
export const quietPort: PortStats = {
  port: 80,
  hostname: "",
  connections: 0,
  connectionsTotal: 1,
  bytesUp: 78,
  bytesDown: 1_536,
  connectMs: { bounds: [1, 2.5, 5], counts: [0, 0, 1, 0], sum: 4 },
  retries: 0,
  failures: 0,
  lastFailure: undefined,
  slowReaders: 0,
  slowPods: 0,
  bufferedUp: 0,
  bufferedDown: 0,
};

/** A port with something in every field. */
export const busyPort: PortStats = {
  port: 443,
  hostname: "cart-0",
  connections: 3,
  connectionsTotal: 17,
  bytesUp: 5_000_000_000,
  bytesDown: 1_048_576,
  connectMs: { bounds: [1, 2.5, 5], counts: [2, 1, 0, 1], sum: 6_012.5 },
  retries: 4,
  failures: 2,
  lastFailure: { message: "nothing listens there", code: "refused", pod: "cart-1", timeMs: 1_790_000_000_500 },
  slowReaders: 1,
  slowPods: 2,
  bufferedUp: 65_536,
  bufferedDown: 131_072,
};

/** Two connections, one of them free. */
export const pool: PodPool = {
  pod: "cart-0",
  uid: "u1",
  connections: 2,
  free: 1,
  streams: 3,
  lingering: 4,
  dialling: 5,
  waiting: 6,
  paused: 7,
  backlogged: 8,
  rttMs: 1.5,
};

/** A service with one quiet port, parts of which may be replaced. */
export function servedStats(namespace: string, name: string, port: Partial<PortStats> = {}): ServiceStats {
  return { namespace, name, engine: "post-spdy", ports: [{ ...quietPort, ...port }], pools: [pool] };
}

/** A service with something in every field. */
export const cartStats: ServiceStats = {
  ...{ namespace: "shop", name: "cart", engine: "websocket" },
  ports: [quietPort, busyPort],
  pools: [pool, { ...pool, pod: "cart-1", uid: "u2", rttMs: undefined }],
};
