import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEndpointSlice } from "../kube/endpoint-slice.ts";
import { parseService } from "../kube/service.ts";
import { missingTargets } from "./missing-targets.ts";

const service = parseService({
  metadata: { namespace: "shop", name: "cart", uid: "c" },
  spec: {
    selector: { app: "cart" },
    ports: [
      { name: "http", port: 80, targetPort: "http" },
      { name: "admin", port: 9000, targetPort: "nosuch" },
      { name: "raw", port: 7000, targetPort: 7000 },
    ],
  },
});

function slice(ports: readonly object[], ready = true) {
  const labels = { "kubernetes.io/service-name": "cart" };
  const targetRef = { kind: "Pod", namespace: "shop", name: "cart-0", uid: "p" };
  return parseEndpointSlice({
    metadata: { namespace: "shop", name: "cart-x", uid: "s", labels },
    ...{ addressType: "IPv4", ports, endpoints: [{ addresses: ["10.1.1.1"], conditions: { ready }, targetRef }] },
  });
}

const http = { name: "http", protocol: "TCP", port: 8080 };

test("missingTargets() names a target port that no ready pod has", () => {
  assert.deepEqual([...missingTargets(service, [slice([http])])], [[9000, "nosuch"]]);
});

test("missingTargets() says nothing while no pod is ready", () => {
  assert.deepEqual([...missingTargets(service, [])], []);
  assert.deepEqual([...missingTargets(service, [slice([http], false)])], []);
});
