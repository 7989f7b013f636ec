import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEndpointSlice } from "../kube/endpoint-slice.ts";
import { parseService } from "../kube/service.ts";
import { desiredTunnel } from "./desired.ts";

const filter = { skipNamespaces: new Set(["kube-system"]) };
const slice = parseEndpointSlice({
  metadata: { namespace: "shop", name: "cart-x", uid: "s1", labels: { "kubernetes.io/service-name": "cart" } },
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
    notice: undefined,
  });
});

test("desiredTunnel() wants a tunnel also while no pod is ready", () => {
  assert.deepEqual(desiredTunnel(service({ clusterIP: "None" }), [], filter), {
    kind: "tunnel",
    ports: [{ port: 80, endpoints: [] }],
    notice: undefined,
  });
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
    notice: "not forwarded: 53/UDP, 9/SCTP",
  });
});
