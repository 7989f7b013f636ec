/** What was counted, for people: a line for each port that has had connections. Pure. */
import type { Histogram, PodPool, PortStats, ServiceStats } from "../rpc/service-stats.ts";
import { formatTable } from "./table.ts";

const columns = [
  ...["NAMESPACE", "NAME", "PORT", "OPEN", "TOTAL", "UP", "DOWN", "P50", "P99", "RETRIES", "FAILED"],
  ...["SLOW", "BUFFERED", "POOL", "RTT", "LAST FAILURE"],
];

/** The lines, under a header. P50 and P99 are bounds: half of all connections, and 99 of 100, had their answer within. */
export function statsTable(services: readonly ServiceStats[], nowMs: number): string {
  return formatTable(
    columns,
    services.flatMap((service) => service.ports.map((port, index) => cells(service, port, index === 0, nowMs))),
  );
}

/** Pools belong to all ports of a service: they stand with the first. */
function cells(
  { namespace, name, pools }: ServiceStats,
  port: PortStats,
  isFirst: boolean,
  nowMs: number,
): readonly string[] {
  const { lastFailure, hostname } = port;
  return [
    namespace,
    hostname === "" ? name : `${hostname}.${name}`,
    ...[port.port, port.connections, port.connectionsTotal].map(String),
    ...[port.bytesUp, port.bytesDown].map(bytesText),
    ...[0.5, 0.99].map((share) => quantileText(port.connectMs, share)),
    ...[port.retries, port.failures, port.slowReaders + port.slowPods].map(String),
    bytesText(port.bufferedUp + port.bufferedDown),
    ...(isFirst ? [poolText(pools), rttText(pools)] : ["", ""]),
    lastFailure === undefined ? "" : `${ageText(nowMs - lastFailure.timeMs)} ago: ${lastFailure.message}`,
  ];
}

/** "3 (1 free, 2 dialling)". */
function poolText(pools: readonly PodPool[]): string {
  const sum = (of: (pool: PodPool) => number) => pools.reduce((total, pool) => total + of(pool), 0);
  const parts = [
    [sum(({ free }) => free), "free"],
    [sum(({ dialling }) => dialling), "dialling"],
    [sum(({ waiting }) => waiting), "waiting"],
  ] as const;
  const known = parts.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  return `${sum(({ connections }) => connections)}${known.length === 0 ? "" : ` (${known.join(", ")})`}`;
}

function rttText(pools: readonly PodPool[]): string {
  const known = pools.flatMap(({ rttMs }) => rttMs ?? []);
  return known.length === 0 ? "" : `${Math.min(...known).toFixed(1)}ms`;
}

/** The bound that so large a share stayed within; empty when nothing was observed. */
export function quantileText({ bounds, counts }: Histogram, share: number): string {
  const wanted = share * counts.reduce((sum, count) => sum + count, 0);
  if (wanted === 0) return "";
  let sum = 0;
  const bucket = counts.findIndex((count) => {
    sum += count;
    return sum >= wanted;
  });
  const bound = bounds[bucket];
  return bound === undefined ? `>${bounds.at(-1) ?? 0}ms` : `<=${bound}ms`;
}

/** "512B", "1.5KiB". */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  // What would be printed as 1024.0 is the next unit's 1.0.
  for (; value >= 1023.95 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)}${units[unit]}`;
}

/** "12s", "3m", "5h", "2d": whole units, the largest that fits. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
