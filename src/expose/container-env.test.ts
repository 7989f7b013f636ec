import assert from "node:assert/strict";
import { test } from "node:test";
import { containerEnv, type EnvOrigin, type KeyedSource, namedSources } from "./container-env.ts";

const data = (values: Readonly<Record<string, string>>): KeyedSource => ({
  kind: "data",
  data: new Map(Object.entries(values)),
});
const absent: KeyedSource = { kind: "absent" };
const hidden: KeyedSource = { kind: "unknown", reason: "nobody may read it" };

const pod = {
  metadata: { labels: { app: "cart" }, annotations: { team: "shop" } },
  spec: { serviceAccountName: "carter" },
};

/** ConfigMap "settings" and Secret "db" are there, ConfigMap "closed" may not be read, others are not there. */
function made(container: object, parts: Partial<EnvOrigin> = {}) {
  const maps: Readonly<Record<string, KeyedSource>> = { settings: data({ MODE: "fast", size: "3" }), closed: hidden };
  return containerEnv({
    ...{ container, pod, namespace: "shop" },
    configMap: (name) => maps[name] ?? absent,
    secret: (name) => (name === "db" ? data({ password: "s3cret" }) : absent),
    ...parts,
  });
}

function values(container: object, parts?: Partial<EnvOrigin>): Readonly<Record<string, string>> {
  return Object.fromEntries(made(container, parts).variables.map(({ name, value }) => [name, value]));
}

const keyOf = (kind: "configMapKeyRef" | "secretKeyRef", name: string, key: string, optional = false) => ({
  valueFrom: { [kind]: { name, key, optional } },
});

test("containerEnv() gives plain values, the last of one name, and empty ones", () => {
  const env = [{ name: "A", value: "1" }, { name: "B" }, { name: "A", value: "2" }];
  assert.deepEqual(made({ env }), {
    variables: [
      { name: "A", value: "2" },
      { name: "B", value: "" },
    ],
    omitted: [],
  });
});

test("containerEnv() takes whole ConfigMaps first, with their prefix, and env over them", () => {
  const envFrom = [{ configMapRef: { name: "settings" } }, { prefix: "S_", configMapRef: { name: "settings" } }];
  const env = [{ name: "MODE", value: "slow" }];
  assert.deepEqual(values({ env, envFrom }), { MODE: "slow", size: "3", S_MODE: "fast", S_size: "3" });
});

test("containerEnv() resolves keys of ConfigMaps and Secrets", () => {
  const env = [
    { name: "MODE", ...keyOf("configMapKeyRef", "settings", "MODE") },
    { name: "PASSWORD", ...keyOf("secretKeyRef", "db", "password") },
  ];
  assert.deepEqual(values({ env }), { MODE: "fast", PASSWORD: "s3cret" });
  assert.deepEqual(values({ envFrom: [{ secretRef: { name: "db" } }] }), { password: "s3cret" });
});

test("containerEnv() names what is left out, and where it comes from", () => {
  const env = [
    { name: "A", ...keyOf("configMapKeyRef", "closed", "a") },
    { name: "B", ...keyOf("configMapKeyRef", "settings", "none") },
    { name: "C", ...keyOf("secretKeyRef", "none", "c") },
    { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
    { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
  ];
  const envFrom = [{ configMapRef: { name: "closed" } }, { secretRef: { name: "none" } }];
  const { variables, omitted } = made({ env, envFrom });
  assert.deepEqual(variables, []);
  assert.deepEqual(
    omitted.map(({ name, reason }) => `${name}: ${reason}`),
    [
      'A: it comes from key "a" of ConfigMap "closed": nobody may read it',
      'B: it comes from key "none" of ConfigMap "settings", which does not exist',
      'C: it comes from key "c" of Secret "none", which does not exist',
      "IP: it is status.podIP of each pod",
      "CPU: it comes from resourceFieldRef, which only the container's node can tell",
      ': ConfigMap "closed": nobody may read it',
      ': Secret "none": it does not exist',
    ],
  );
});

test("containerEnv() says nothing of optional sources that are not there, and keeps what was before", () => {
  const env = [
    { name: "MODE", ...keyOf("secretKeyRef", "none", "c", true) },
    { name: "D", ...keyOf("configMapKeyRef", "settings", "none", true) },
  ];
  const envFrom = [
    { configMapRef: { name: "settings" } },
    { configMapRef: { name: "none", optional: true } },
    { secretRef: { name: "none", optional: true } },
  ];
  assert.deepEqual(made({ env, envFrom }).omitted, []);
  assert.deepEqual(values({ env, envFrom }), { MODE: "fast", size: "3" });
});

test("containerEnv() knows fields that all pods of a template share", () => {
  const paths = [
    "metadata.namespace",
    "spec.serviceAccountName",
    "metadata.labels['app']",
    "metadata.annotations['team']",
  ];
  const env = paths.map((fieldPath, index) => ({ name: `F${index}`, valueFrom: { fieldRef: { fieldPath } } }));
  assert.deepEqual(Object.values(values({ env })), ["shop", "carter", "cart", "shop"]);
  assert.equal(values({ env: env.slice(1, 2) }, { pod: {} }).F1, "default");
});

test("containerEnv() replaces references to what came before, and leaves those to nothing as they are", () => {
  const env = [
    { name: "HOST", value: "db" },
    { name: "URL", value: "pg://$(HOST)/$(LATER)?mode=$(MODE)&$$(HOST)&$(HOST&$1" },
    { name: "LATER", value: "x" },
  ];
  const envFrom = [{ configMapRef: { name: "settings" } }];
  assert.equal(values({ env, envFrom }).URL, "pg://db/$(LATER)?mode=fast&$(HOST)&$(HOST&$1");
});

test("containerEnv() leaves out what refers to something that is not known", () => {
  const env = [
    { name: "PASSWORD", ...keyOf("secretKeyRef", "db", "password") },
    { name: "URL", value: "pg://me:$(PASSWORD)@db" },
    { name: "CART", value: "$(CART_SERVICE_HOST):$(CART_SERVICE_PORT_HTTP)" },
  ];
  const { variables, omitted } = made({ env }, { secret: () => hidden });
  assert.deepEqual(variables, []);
  assert.deepEqual(omitted.slice(1), [
    { name: "URL", reason: "it refers to $(PASSWORD), which is not known here" },
    {
      name: "CART",
      reason: "it refers to $(CART_SERVICE_HOST) and $(CART_SERVICE_PORT_HTTP), which is not known here",
    },
  ]);
});

test("namedSources() names each object once", () => {
  const env = [
    { name: "A", ...keyOf("configMapKeyRef", "one", "a") },
    { name: "B", ...keyOf("configMapKeyRef", "one", "b") },
    { name: "C", ...keyOf("secretKeyRef", "db", "c") },
    { name: "D", value: "d" },
  ];
  const envFrom = [{ configMapRef: { name: "two" } }, { secretRef: { name: "db" } }];
  assert.deepEqual(namedSources({ env, envFrom }), { configMaps: ["two", "one"], secrets: ["db"] });
  assert.deepEqual(namedSources({}), { configMaps: [], secrets: [] });
});
