import assert from "node:assert/strict";
import { test } from "node:test";
import { startFakeCluster } from "../../../test/support/workloads.ts";
import { at, listAt } from "../json.ts";

const service = (name: string, spec: object) => ({ metadata: { name }, spec });
const pod = (name: string, containerPort: number) => ({
  metadata: { name, labels: { app: "cart" } },
  spec: { containers: [{ name: "app", ports: [{ name: "http", containerPort }] }] },
});
const slices = "endpointslices.discovery.k8s.io";

test("pods whose named ports differ stand in slices of their own, and the slice of none is kept", async () => {
  await using t = await startFakeCluster({ podIsReady: () => true });
  const ports = [{ name: "web", port: 80, targetPort: "http" }];
  await t.create("services", service("cart", { selector: { app: "cart" }, ports }));
  const [empty] = t.names(slices);
  await t.create("pods", pod("one", 8080));
  assert.deepEqual(t.names(slices), [empty]);
  await t.create("pods", pod("two", 9090));
  const numbers = () =>
    t
      .list(slices)
      .flatMap((slice) => listAt(slice, "ports"))
      .map((port) => at(port, "port"));
  assert.deepEqual(new Set(numbers()), new Set([8080, 9090]));
  await t.delete("pods", "one");
  assert.deepEqual(numbers(), [9090]);
  await t.delete("services", "cart");
  assert.deepEqual(t.names(slices), []);
});

test("a Service without a selector, or that is a name, gets no slices, and others' slices are left alone", async () => {
  await using t = await startFakeCluster();
  await t.create("services", service("free", { ports: [{ port: 80 }] }));
  await t.create("services", service("name", { type: "ExternalName", externalName: "a.b", selector: { app: "cart" } }));
  const labels = { "kubernetes.io/service-name": "free" };
  await t.create(slices, { metadata: { name: "by-hand", labels }, addressType: "IPv4", endpoints: [] });
  assert.deepEqual(t.names(slices), ["by-hand"]);
});
