import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cartPod,
  cartService,
  deployed,
  shopComponents,
  shopObject,
  workload,
} from "../../test/support/shop-objects.ts";
import { serviceKey } from "../model/service-key.ts";
import { workloadEnv } from "./workload-env.ts";

const key = serviceKey("shop", "cart");
const plurals = [
  { apiVersion: "v1", kind: "ConfigMap", plural: "configmaps" },
  { apiVersion: "v1", kind: "Secret", plural: "secrets" },
];
const stored = [
  { ...shopObject("v1", "ConfigMap", "settings"), data: { MODE: "fast" } },
  { ...shopObject("v1", "Secret", "db"), data: { password: Buffer.from("s3crét").toString("base64") } },
];
const container = {
  name: "app",
  ports: [{ containerPort: 8080 }],
  env: [{ name: "PASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } }],
  envFrom: [{ configMapRef: { name: "settings" } }],
};
const podSpec = { containers: [{ name: "other", env: [{ name: "WRONG", value: "1" }] }, container] };

function read(objects: readonly object[], { denied = [] as string[], secrets = false, maps = [] as string[] } = {}) {
  const components = shopComponents({ objects: [cartService(), ...objects, ...stored], kinds: plurals, denied });
  return workloadEnv(components, { key, maps, secrets }).then((env) => ({ env, calls: components.calls }));
}

test("workloadEnv() reads the template of the pods' owner, its ConfigMaps, and no Secret", async () => {
  const { env, calls } = await read(deployed("cart", { podSpec }));
  assert.deepEqual(env, {
    source: 'Deployment "cart"',
    container: "app",
    variables: [{ name: "MODE", value: "fast" }],
    omitted: [{ name: "PASSWORD", reason: 'it comes from key "password" of Secret "db": --env-secrets reads it' }],
    notices: [],
  });
  assert.deepEqual(
    calls.filter((call) => call.includes("/secrets")),
    [],
  );
});

test("workloadEnv() reads Secrets when that is asked for", async () => {
  const { env } = await read(deployed("cart", { podSpec }), { secrets: true });
  assert.deepEqual(env.variables.at(-1), { name: "PASSWORD", value: "s3crét" });
  assert.deepEqual(env.omitted, []);
});

test("workloadEnv() finds the workload that an exposure has scaled to 0", async () => {
  const { env } = await read([workload("Deployment", "cart", { podSpec, spec: { replicas: 0 } })]);
  assert.equal(env.source, 'Deployment "cart"');
  assert.deepEqual(env.variables, [{ name: "MODE", value: "fast" }]);
});

test("workloadEnv() leaves out what may not be read, and says so", async () => {
  const denied = ["get configmaps", "get secrets"];
  const { env } = await read(deployed("cart", { podSpec }), { denied, secrets: true });
  assert.deepEqual(env.variables, []);
  assert.deepEqual(env.omitted, [
    { name: "PASSWORD", reason: 'it comes from key "password" of Secret "db": you may not read it' },
    { name: "", reason: 'ConfigMap "settings": you may not read it' },
  ]);
});

test("workloadEnv() takes the container whose port is mapped", async () => {
  const ports = [
    { name: "http", port: 80, targetPort: 8080 },
    { name: "admin", port: 81, targetPort: 9000 },
  ];
  const proxy = { name: "proxy", ports: [{ containerPort: 9000 }], env: [{ name: "ADMIN", value: "yes" }] };
  const objects = [cartService({ ports }), ...deployed("cart", { podSpec: { containers: [container, proxy] } })];
  const components = shopComponents({ objects: [...objects, ...stored], kinds: plurals });
  const containerFor = async (maps: readonly string[]) =>
    (await workloadEnv(components, { key, maps, secrets: false })).container;
  assert.equal(await containerFor([]), "app");
  assert.equal(await containerFor(["9999:admin"]), "proxy");
  await assert.rejects(containerFor(["1:none"]), { code: "usage" });
});

test("workloadEnv() says whose environment it is where there are several", async () => {
  const { env } = await read([...deployed("cart", { podSpec }), ...deployed("cart-next", { podSpec })]);
  assert.deepEqual(env.notices, ['The environment is that of Deployment "cart", not of Deployment "cart-next"']);
});

test("workloadEnv() reads bare pods, and fails where there is nothing to read", async () => {
  const { env } = await read([cartPod("alone", { spec: podSpec })]);
  assert.equal(env.source, 'Pod "alone"');
  await assert.rejects(read([]), { code: "conflict", message: /no workload is known whose environment/ });
});
