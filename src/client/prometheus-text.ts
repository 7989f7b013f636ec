/**
 * What was counted as Prometheus reads it: text exposition format 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats). Pure.
 */
import type { PodPool, PortStats, ServiceStats } from "../rpc/service-stats.ts";
import type { Stats } from "../rpc/stats.ts";
import { type Family, familyText, type Labels, type Sample } from "./exposition.ts";

type PortValue = (port: PortStats) => number | undefined;

const portFamilies: readonly (readonly [name: string, type: Family["type"], help: string, value: PortValue])[] = [
  ["open_connections", "gauge", "Connections of applications that are open.", (port) => port.connections],
  ["connections_total", "counter", "Connections that were accepted.", (port) => port.connectionsTotal],
  ["connect_retries_total", "counter", "Tries to reach a pod after the first of each connection.", (p) => p.retries],
  ["connection_failures_total", "counter", "Connections that failed.", (port) => port.failures],
  [
    "last_failure_timestamp_seconds",
    "gauge",
    "When a connection failed last; absent while none has.",
    ({ lastFailure }) => (lastFailure === undefined ? undefined : lastFailure.timeMs / 1000),
  ],
  [
    "slow_reader_connections",
    "gauge",
    "Open connections whose application reads more slowly than its pod sends.",
    (port) => port.slowReaders,
  ],
  [
    "slow_pod_connections",
    "gauge",
    "Open connections whose pod takes less than the application sends.",
    (port) => port.slowPods,
  ],
];

const poolFamilies: readonly (readonly [name: string, help: string, value: (pool: PodPool) => number])[] = [
  ["pool_connections", "Connections through the API server to the pod.", (pool) => pool.connections],
  ["pool_free_connections", "Connections to the pod that nobody uses.", (pool) => pool.free],
  ["pool_backlogged_connections", "Connections that take bytes more slowly than they come.", (pool) => pool.backlogged],
  ["pool_dials", "Connections to the pod that are being made.", (pool) => pool.dialling],
  ["pool_waiting", "Connections of applications that wait for one to the pod.", (pool) => pool.waiting],
  ["pool_streams", "Streams to the pod that are in use.", (pool) => pool.streams],
  ["pool_lingering_streams", "Streams that the container runtime has not let go of yet.", (pool) => pool.lingering],
  ["pool_paused_streams", "Streams whose application is behind with reading.", (pool) => pool.paused],
];

/**
 * The text, with a line feed at its end. Which cluster it is stands in it always, the rest for Services that have had
 * connections. The label `hostname` is there only for the ports of a headless Service's pod. What pools tell has labels for
 * the pod, not for the Service: several may share it.
 */
export function prometheusText({ cluster, services }: Stats): string {
  const sorted = services.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const { context = "", cluster: name = "", portForwardEngine: engine = "" } = cluster ?? {};
  const families: readonly Family[] = [
    {
      name: "cluster_info",
      type: "gauge",
      help: "Which cluster the daemon serves.",
      samples: [{ labels: { context, cluster: name, engine }, value: 1 }],
    },
    {
      name: "engine_info",
      type: "gauge",
      help: "The way that a Service's port-forwards go.",
      samples: sorted.map((service) => ({
        labels: { namespace: service.namespace, service: service.name, engine: service.engine },
        value: 1,
      })),
    },
    ...portFamilies.map(([name, type, help, value]) => ({
      ...{ name, type, help },
      samples: portSamples(sorted, (port, labels) => {
        const now = value(port);
        return now === undefined ? [] : [{ labels, value: now }];
      }),
    })),
    {
      name: "transferred_bytes_total",
      type: "counter",
      help: "Bytes from applications (up) and from pods (down).",
      samples: portSamples(sorted, (port, labels) => inDirections(labels, port.bytesUp, port.bytesDown)),
    },
    {
      name: "buffered_bytes",
      type: "gauge",
      help: "Bytes that wait in the daemon on their way to a pod (up) or to an application (down).",
      samples: portSamples(sorted, (port, labels) => inDirections(labels, port.bufferedUp, port.bufferedDown)),
    },
    {
      name: "connect_duration_seconds",
      type: "histogram",
      help: "How long applications waited for the pod's first byte after connecting, or after their own first byte if that came later.",
      samples: portSamples(sorted, histogramSamples),
    },
    ...poolFamilies.map(([name, help, value]) => ({
      name,
      help,
      type: "gauge" as const,
      samples: sums(sorted, value),
    })),
    {
      name: "ping_rtt_seconds",
      type: "gauge",
      help: "Round-trip time to the pod's container runtime, of the quickest connection.",
      samples: podSamples(sorted, (pools) => {
        const known = pools.flatMap(({ rttMs }) => rttMs ?? []);
        return known.length === 0 ? undefined : Math.min(...known) / 1000;
      }),
    },
  ];
  return families.map((family) => familyText({ ...family, name: `localizer_${family.name}` })).join("");
}

function portSamples(
  services: readonly ServiceStats[],
  of: (port: PortStats, labels: Labels) => readonly Sample[],
): readonly Sample[] {
  return services.flatMap(({ namespace, name, ports }) =>
    ports.flatMap((port) => {
      const labels = { namespace, service: name, port: String(port.port) };
      return of(port, port.hostname === "" ? labels : { ...labels, hostname: port.hostname });
    }),
  );
}

function inDirections(labels: Labels, up: number, down: number): readonly Sample[] {
  return [
    { labels: { ...labels, direction: "up" }, value: up },
    { labels: { ...labels, direction: "down" }, value: down },
  ];
}

function histogramSamples({ connectMs: { bounds, counts, sum } }: PortStats, labels: Labels): readonly Sample[] {
  let count = 0;
  const buckets = counts.map((own, index): Sample => {
    count += own;
    const bound = bounds[index];
    const le = bound === undefined ? "+Inf" : String(bound / 1000);
    return { suffix: "_bucket", labels: { ...labels, le }, value: count };
  });
  return [...buckets, { suffix: "_sum", labels, value: sum / 1000 }, { suffix: "_count", labels, value: count }];
}

function sums(services: readonly ServiceStats[], value: (pool: PodPool) => number): readonly Sample[] {
  return podSamples(services, (pools) => pools.reduce((sum, pool) => sum + value(pool), 0));
}

/** One for each pod, whatever Services stand before it; a new pod of an old name counts with the old one while that lasts. */
function podSamples(
  services: readonly ServiceStats[],
  value: (pools: readonly PodPool[]) => number | undefined,
): readonly Sample[] {
  const seen = new Map<string, { readonly labels: Labels; readonly byUid: Map<string, readonly PodPool[]> }>();
  for (const { namespace, pools } of services) {
    for (const [uid, own] of Map.groupBy(pools, (pool) => pool.uid)) {
      const pod = own[0]?.pod ?? "";
      const key = `${namespace}/${pod}`;
      const known = seen.get(key) ?? { labels: { namespace, pod }, byUid: new Map() };
      seen.set(key, known);
      known.byUid.set(uid, own);
    }
  }
  return [...seen.values()].flatMap(({ labels, byUid }) => {
    const now = value([...byUid.values()].flat());
    return now === undefined ? [] : [{ labels, value: now }];
  });
}

function keyOf({ namespace, name }: ServiceStats): string {
  return `${namespace}/${name}`;
}
