import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEndpointSlice } from "../kube/endpoint-slice.ts";
import { parseService } from "../kube/service.ts";
import { port } from "../model/port.ts";
import { desiredTunnel } from "./desired.ts";

const filter = { skipNamespaces: new Set(["kube-system"]), skipPorts: new Set([port(9090)]) };
const labels = { "kubernetes.io/service-name": "cart" };
const slice = parseEndpointSlice({
  metadata: { namespace: "shop", name: "cart-x", uid: "s1", labels },
  addressType: "IPv4",
  ports: [{ name: "web", protocol: "TCP", port: 8080 }],
  endpoints: [{ addresses: ["10.1.1.1"], targetRef: { kind: "Pod", namespace: "shop", name: "cart-0", uid: "p1" } }],
});
const endpoint = { pod: { namespace: "shop", name: "cart-0", uid: "p1" }, port: 8080 };

function service(spec: object, metadata: object = {}) {
  return parseService({
    metadata: { namespace: "shop", name: "cart", uid: "u1", ...metadata },
    spec: { selector: { app: "cart" }, ports: [{ name: "web", port: 80 }], ...spec },
  });
}

test("desiredTunnel() wants nothing of a service that is not there or not asked for", () => {
  assert.deepEqual(desiredTunnel(undefined, [slice], filter), { kind: "absent" });
  assert.deepEqual(desiredTunnel(service({}, { namespace: "kube-system" }), [], filter), { kind: "absent" });
  assert.deepEqual(desiredTunnel(service({}, { namespace: "default", name: "kubernetes" }), [], filter), {
    kind: "absent",
  });
});

test("desiredTunnel() leaves other services called kubernetes, or in default, alone", () => {
  for (const metadata of [{ namespace: "default" }, { name: "kubernetes" }]) {
    assert.equal(desiredTunnel(service({}, metadata), [], filter).kind, "tunnel");
  }
});

test("desiredTunnel() skips what cannot be forwarded, and says why", () => {
  const table: readonly (readonly [spec: object, reason: string])[] = [
    [{ type: "ExternalName", externalName: "db.example.org" }, "it stands for db.example.org"],
    [{ selector: {} }, "it has no selector, so no pods"],
    [{ selector: undefined }, "it has no selector, so no pods"],
    [{ ports: [] }, "it has no ports"],
    [{ ports: [{ port: 53, protocol: "UDP" }] }, "it has only UDP ports"],
    [
      {
        ports: [
          { port: 53, protocol: "UDP" },
          { port: 54, protocol: "UDP" },
          { port: 9, protocol: "SCTP" },
        ],
      },
      "it has only UDP and SCTP ports",
    ],
  ];
  for (const [spec, reason] of table) {
    assert.deepEqual(desiredTunnel(service(spec), [slice], filter), { kind: "skipped", reason });
  }
});

test("desiredTunnel() wants a tunnel with each TCP port and the pods behind it", () => {
  assert.deepEqual(desiredTunnel(service({}), [slice], filter), {
    kind: "tunnel",
    ports: [{ port: 80, endpoints: [endpoint] }],
    pods: [],
    notice: undefined,
    seen: undefined,
  });
});

test("desiredTunnel() wants a tunnel also while no pod is ready", () => {
  const desired = desiredTunnel(service({}), [], filter);
  assert.ok(desired.kind === "tunnel");
  assert.deepEqual(desired.ports, [{ port: 80, endpoints: [] }]);
});

test("desiredTunnel() wants callers to stay with their pod where the Service says so", () => {
  const spec = { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } };
  const desired = desiredTunnel(service(spec), [slice], filter);
  assert.ok(desired.kind === "tunnel");
  assert.deepEqual(desired.ports, [{ port: 80, endpoints: [endpoint], affinityMs: 60_000 }]);
});

test("desiredTunnel() wants a tunnel of every kind of Service that selects pods", () => {
  for (const spec of [{ type: "NodePort" }, { type: "LoadBalancer" }, { clusterIP: "None" }, {}]) {
    assert.equal(desiredTunnel(service(spec), [slice], filter).kind, "tunnel");
  }
});

test("desiredTunnel() leaves out ports that the user does not want, and says so", () => {
  const ports = [
    { name: "web", port: 80 },
    { name: "metrics", port: 9090 },
    { name: "dns", port: 53, protocol: "UDP" },
  ];
  const desired = desiredTunnel(service({ ports }), [slice], filter);
  assert.ok(desired.kind === "tunnel");
  assert.deepEqual(
    desired.ports.map(({ port }) => port),
    [80],
  );
  assert.equal(desired.notice, "not forwarded: 53/UDP; left out by --skip-port: 9090");
  assert.deepEqual(desiredTunnel(service({ ports: ports.slice(1) }), [slice], filter), {
    kind: "skipped",
    reason: "all its TCP ports are left out by --skip-port: 9090",
  });
});

test("desiredTunnel() wants the target port of a headless Service too, and tunnels to its pods with host names", () => {
  const named = parseEndpointSlice({
    ...{ metadata: { namespace: "shop", name: "cart-x", uid: "s1", labels }, addressType: "IPv4" },
    ports: [{ name: "web", protocol: "TCP", port: 8080 }],
    endpoints: [
      { addresses: ["10.1.1.1"], hostname: "cart-0", targetRef: { kind: "Pod", name: "cart-0", uid: "p1" } },
      { addresses: ["10.1.1.2"], targetRef: { kind: "Pod", name: "cart-1", uid: "p2" } },
    ],
  });
  const ports = [{ name: "web", port: 80, targetPort: 8080 }];
  const desired = desiredTunnel(service({ clusterIP: "None", ports }), [named], filter);
  assert.ok(desired.kind === "tunnel");
  const both = [endpoint, { pod: { namespace: "shop", name: "cart-1", uid: "p2" }, port: 8080 }];
  assert.deepEqual(desired.ports, [
    { port: 80, endpoints: both },
    { port: 8080, endpoints: both },
  ]);
  const own = [endpoint];
  const podPorts = [80, 8080].map((number) => ({ port: number, endpoints: own }));
  assert.deepEqual(desired.pods, [{ hostname: "cart-0", ports: podPorts }]);
  const plain = desiredTunnel(service({ ports }), [named], filter);
  assert.ok(plain.kind === "tunnel");
  assert.deepEqual([plain.ports.length, plain.pods], [1, []]);
});

test("desiredTunnel() names the ports that are left out", () => {
  const ports = [
    { name: "dns", port: 53, protocol: "UDP" },
    { name: "web", port: 80 },
    { name: "sig", port: 9, protocol: "SCTP" },
    { name: "dns-tcp", port: 53, protocol: "TCP" },
  ];
  assert.deepEqual(desiredTunnel(service({ ports }), [slice], filter), {
    kind: "tunnel",
    ports: [
      { port: 80, endpoints: [endpoint] },
      { port: 53, endpoints: [] },
    ],
    pods: [],
    notice: "not forwarded: 53/UDP, 9/SCTP",
    seen: undefined,
  });
});
