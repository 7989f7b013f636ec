import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { someCluster } from "../../test/rpc/fake-daemon.ts";
import { cartStats, pool, quietPort, servedStats } from "../../test/rpc/fake-stats.ts";
import { parseExposition } from "../../test/support/exposition-parser.ts";
import type { PortStats, ServiceStats } from "../rpc/service-stats.ts";
import { prometheusText } from "./prometheus-text.ts";

const cluster = someCluster.cluster();

function textOf(...services: readonly ServiceStats[]): string {
  return prometheusText({ cluster, services });
}

test("prometheusText() prints a port's figures as lines, under HELP and TYPE", () => {
  const text = textOf(cartStats);
  for (const line of [
    "# HELP localizer_connections_total Connections that were accepted.",
    "# TYPE localizer_connections_total counter",
    'localizer_connections_total{namespace="shop",service="cart",port="80"} 1',
    'localizer_connections_total{namespace="shop",service="cart",port="443",hostname="cart-0"} 17',
    "# TYPE localizer_open_connections gauge",
    'localizer_open_connections{namespace="shop",service="cart",port="443",hostname="cart-0"} 3',
    'localizer_transferred_bytes_total{namespace="shop",service="cart",port="443",hostname="cart-0",direction="up"} 5000000000',
    'localizer_buffered_bytes{namespace="shop",service="cart",port="443",hostname="cart-0",direction="down"} 131072',
    'localizer_last_failure_timestamp_seconds{namespace="shop",service="cart",port="443",hostname="cart-0"} 1790000000.5',
    'localizer_engine_info{namespace="shop",service="cart",engine="websocket"} 1',
    'localizer_cluster_info{context="kind",cluster="kind-kind",engine="post-spdy"} 1',
  ]) {
    assert.ok(text.includes(`${line}\n`), `${line} is not in\n${text}`);
  }
  assert.doesNotMatch(text, /last_failure.*port="80"/);
});

test("prometheusText() prints a histogram cumulated, in seconds, with all buckets, sum and count", () => {
  const labels = 'namespace="shop",service="cart",port="443",hostname="cart-0"';
  const own = textOf(cartStats)
    .split("\n")
    .filter((line) => line.startsWith("localizer_connect_duration_seconds") && line.includes('port="443"'));
  assert.deepEqual(own, [
    `localizer_connect_duration_seconds_bucket{${labels},le="0.001"} 2`,
    `localizer_connect_duration_seconds_bucket{${labels},le="0.0025"} 3`,
    `localizer_connect_duration_seconds_bucket{${labels},le="0.005"} 3`,
    `localizer_connect_duration_seconds_bucket{${labels},le="+Inf"} 4`,
    `localizer_connect_duration_seconds_sum{${labels}} 6.0125`,
    `localizer_connect_duration_seconds_count{${labels}} 4`,
  ]);
});

test("prometheusText() counts a pod of two services once, and two pods of one name together", () => {
  const old = { ...pool, uid: "u0", rttMs: 0.5 };
  const samples = parseExposition(
    textOf(servedStats("shop", "cart"), { ...servedStats("shop", "web"), pools: [pool, old] }),
  );
  const of = (name: string) => samples.filter((sample) => sample.name === `localizer_${name}`);
  assert.deepEqual(of("pool_connections"), [
    { name: "localizer_pool_connections", labels: { namespace: "shop", pod: "cart-0" }, value: 4 },
  ]);
  assert.deepEqual(
    ["pool_free_connections", "pool_streams", "pool_lingering_streams", "pool_dials", "pool_waiting"].map(
      (name) => of(name)[0]?.value,
    ),
    [2, 6, 8, 10, 12],
  );
  assert.deepEqual([of("pool_paused_streams")[0]?.value, of("pool_backlogged_connections")[0]?.value], [14, 16]);
  assert.equal(of("ping_rtt_seconds")[0]?.value, 0.0005);
});

test("prometheusText() says which cluster it is when nothing was counted, and no more", () => {
  assert.equal(
    prometheusText({ cluster: undefined, services: [] }),
    "# HELP localizer_cluster_info Which cluster the daemon serves.\n" +
      "# TYPE localizer_cluster_info gauge\n" +
      'localizer_cluster_info{context="",cluster="",engine=""} 1\n',
  );
});

test("prometheusText() does not depend on the order of services", () => {
  assert.equal(textOf(cartStats, servedStats("bank", "web")), textOf(servedStats("bank", "web"), cartStats));
});

test("prometheusText() holds to the grammar, and a parser reads back every label and figure, whatever they are", () => {
  const count = fc.nat();
  const label = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom("\\", '"', "\n", "n", "a", "é", "{", "}", ",", "=") }),
  );
  const histogram = fc.uniqueArray(fc.double({ min: 0.001, max: 1e6, noNaN: true }), { maxLength: 6 }).chain((bounds) =>
    fc.record({
      bounds: fc.constant(bounds.toSorted((a, b) => a - b)),
      counts: fc.array(fc.nat(1e6), { minLength: bounds.length + 1, maxLength: bounds.length + 1 }),
      sum: fc.double({ min: 0, max: 1e9, noNaN: true }),
    }),
  );
  const portStats: fc.Arbitrary<PortStats> = fc.record({
    ...{ port: fc.nat(65_535), hostname: label, connections: count, connectionsTotal: count },
    ...{ bytesUp: fc.maxSafeNat(), bytesDown: fc.maxSafeNat(), retries: count, failures: count },
    ...{ slowReaders: count, slowPods: count, bufferedUp: count, bufferedDown: count },
    connectMs: histogram,
    lastFailure: fc.constant(undefined),
  });
  const services = fc.uniqueArray(
    fc.record({
      namespace: label,
      name: label,
      engine: label,
      ports: fc.array(portStats, { maxLength: 2 }),
      pools: fc.constant([]),
    }),
    { selector: ({ namespace, name }) => `${namespace}/${name}`, maxLength: 3 },
  );
  fc.assert(
    fc.property(services, (found) => {
      const samples = parseExposition(textOf(...found));
      for (const { namespace, name, ports } of found) {
        for (const { port, hostname, bytesUp, connectMs } of ports) {
          const own = { namespace, service: name, port: String(port), ...(hostname === "" ? {} : { hostname }) };
          const has = (suffix: string, labels: object, value: number) =>
            samples.some(
              (sample) =>
                sample.name === `localizer_${suffix}` &&
                sample.value === value &&
                JSON.stringify(sample.labels) === JSON.stringify(labels),
            );
          assert.ok(has("transferred_bytes_total", { ...own, direction: "up" }, bytesUp));
          const all = connectMs.counts.reduce((sum, one) => sum + one, 0);
          assert.ok(has("connect_duration_seconds_bucket", { ...own, le: "+Inf" }, all));
          assert.ok(has("connect_duration_seconds_count", own, all));
          assert.ok(has("connect_duration_seconds_sum", own, connectMs.sum / 1000));
        }
      }
    }),
    { numRuns: 100 },
  );
});

test("prometheusText() escapes backslash, double quote and line feed of a label", () => {
  const hostile: ServiceStats = { ...servedStats("shop", "cart"), engine: 'a\\b"c\nd', ports: [quietPort] };
  assert.ok(textOf(hostile).includes('engine="a\\\\b\\"c\\nd"} 1\n'));
});
