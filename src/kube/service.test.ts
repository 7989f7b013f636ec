import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalizerError } from "../errors.ts";
import { keyOfService, parseService } from "./service.ts";

const metadata = { namespace: "shop", name: "cart", uid: "u1", resourceVersion: "5", managedFields: [] };
const slim = {
  namespace: "shop",
  name: "cart",
  uid: "u1",
  type: "ClusterIP",
  headless: false,
  selector: undefined,
  ports: [],
  publishNotReadyAddresses: false,
  sessionAffinity: "None",
};

test("parseService() keeps what is used and drops the rest", () => {
  const spec = {
    clusterIP: "10.96.0.7",
    selector: { app: "cart" },
    ports: [
      { name: "web", protocol: "TCP", port: 80, targetPort: "http", nodePort: 30_000 },
      { port: 53, protocol: "UDP", targetPort: 5353 },
    ],
    publishNotReadyAddresses: true,
    sessionAffinity: "ClientIP",
    type: "NodePort",
  };
  const service = parseService({ kind: "Service", metadata, spec, status: { loadBalancer: {} } });
  assert.deepEqual(service, {
    ...slim,
    type: "NodePort",
    selector: { app: "cart" },
    ports: [
      { name: "web", protocol: "TCP", port: 80, targetPort: "http" },
      { name: "", protocol: "UDP", port: 53, targetPort: 5353 },
    ],
    publishNotReadyAddresses: true,
    sessionAffinity: "ClientIP",
    sessionAffinityMs: 10_800_000,
  });
  assert.equal(keyOfService(service), "shop/cart");
});

const variants: readonly [title: string, spec: unknown, expected: Readonly<Record<string, unknown>>][] = [
  ["no spec", undefined, {}],
  ["an empty selector", { selector: {} }, {}],
  ["no cluster address", { clusterIP: "None" }, { headless: true }],
  ["another name", { type: "ExternalName", externalName: "a.b" }, { type: "ExternalName", externalName: "a.b" }],
  [
    "a port without target",
    { ports: [{ port: 80 }] },
    { ports: [{ name: "", protocol: "TCP", port: 80, targetPort: 80 }] },
  ],
  ["ports that are none", { ports: [{ port: 0 }, { port: "x" }, null, { port: 80, protocol: "QUIC" }] }, {}],
];

for (const [title, spec, expected] of variants) {
  test(`parseService() reads a Service with ${title}`, () => {
    assert.deepEqual(parseService({ metadata, spec }), { ...slim, ...expected });
  });
}

test("parseService() reads how long a caller keeps its pod, and takes the API's default for what is none", () => {
  const table: readonly (readonly [seconds: unknown, ms: number])[] = [
    [60, 60_000],
    [86_400, 86_400_000],
    ...[0, -1, 1.5, 86_401, "60", null].map((seconds) => [seconds, 10_800_000] as const),
  ];
  for (const [timeoutSeconds, expected] of table) {
    const spec = { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds } } };
    assert.equal(parseService({ metadata, spec }).sessionAffinityMs, expected, String(timeoutSeconds));
  }
});

const unreadable: readonly unknown[] = [
  null,
  "text",
  {},
  { metadata: { ...metadata, uid: undefined } },
  { metadata: { ...metadata, name: "evil\n127.0.0.1 bank" } },
  { metadata, spec: { type: "Magic" } },
];

for (const value of unreadable) {
  test(`parseService() throws usage for ${JSON.stringify(value)}`, () => {
    assert.throws(() => parseService(value), LocalizerError);
  });
}
