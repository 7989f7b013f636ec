import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { exampleKeys, examplePlan, exposedPort } from "../../test/support/expose-plan.ts";
import { codeOf } from "../errors.ts";
import { at, listAt, textAt } from "../kube/json.ts";
import { isDnsLabel } from "../model/host-name.ts";
import { serviceKey } from "../model/service-key.ts";
import type { ExposePlan, PlannedOwner, PodSettings } from "./plan.ts";
import { type PodWish, podOptions } from "./pod-options.ts";
import { isPodOf, podName, type SessionKeys, sessionManifests } from "./session-manifests.ts";

const session = "0a1b2c3d-0000-4000-8000-000000000001";

function manifests(plan: Partial<ExposePlan> = {}, wish: Partial<PodWish> = {}, keys: Partial<SessionKeys> = {}) {
  return sessionManifests(examplePlan(plan), exampleKeys(keys), podOptions(wish, "1.2.3"));
}

function withSettings(settings: Partial<PodSettings>) {
  return manifests({ pod: { imagePullSecrets: [], nodeSelector: {}, tolerations: [], ...settings } });
}

function container(pod: object): unknown {
  const [first, ...others] = listAt(pod, "spec", "containers");
  assert.deepEqual(others, []);
  return first;
}

const owner: PlannedOwner = {
  ...{ group: "apps", version: "v1", plural: "replicasets", kind: "ReplicaSet" },
  ...{ namespace: "shop", name: "cart", uid: "uid-of-owner", replicas: 2, scaleBy: "spec", adopts: false },
};

test("sessionManifests() gives Secret and pod one name, the session's labels and the Lease as owner", () => {
  const { secret, pod } = manifests();
  for (const object of [secret, pod]) {
    assert.equal(at(object, "metadata", "name"), "localizer-cart-0a1b2c3d");
    assert.equal(at(object, "metadata", "namespace"), "shop");
    assert.equal(at(object, "metadata", "labels", "app.kubernetes.io/managed-by"), "localizer");
    assert.equal(at(object, "metadata", "labels", "localizer.dev/session"), session);
    assert.equal(at(object, "metadata", "labels", "localizer.dev/service"), "cart");
    assert.deepEqual(at(object, "metadata", "ownerReferences"), [
      {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        name: "localizer-cart",
        uid: "uid-of-lease",
        controller: false,
        blockOwnerDeletion: false,
      },
    ]);
  }
  assert.equal(at(pod, "metadata", "annotations", "localizer.dev/holder"), "alice@laptop");
});

test("sessionManifests() keeps the Service's selector for later", () => {
  const { pod, labels } = manifests({ selector: { app: "cart", tier: "web" } });
  assert.deepEqual(labels, { app: "cart", tier: "web" });
  for (const name of ["app", "tier"]) assert.equal(at(pod, "metadata", "labels", name), undefined);
});

test("sessionManifests() has a controller for the pod only when an owner, or another workload, would adopt it", () => {
  const controller = (object: object) => at(listAt(object, "metadata", "ownerReferences")[0], "controller");
  assert.equal(controller(manifests({ owners: [owner] }).pod), false);
  const adopting = manifests({ owners: [owner, { ...owner, adopts: true }] });
  assert.equal(controller(adopting.pod), true);
  assert.equal(controller(manifests({ owners: [owner], adopters: ['DaemonSet "agent"'] }).pod), true);
  assert.equal(controller(adopting.secret), false);
});

test("sessionManifests() puts into the Secret what sshd needs, and nothing that opens it", () => {
  const { secret } = manifests({ ports: [exposedPort(80)] });
  assert.equal(at(secret, "immutable"), true);
  const file = (name: string) => textAt(secret, "stringData", name) ?? "";
  assert.equal(file("passwd"), "localizer:*:65532:65532::/tmp:/bin/sh\n");
  assert.equal(file("group"), "localizer:x:65532:\n");
  assert.equal(file("authorized_keys"), "restrict,port-forwarding ssh-ed25519 CLIENT\n");
  assert.equal(file("hostkey"), "PRIVATE HOST KEY\n");
  assert.match(file("sshd_config"), /^PermitListen 80$/m);
  assert.deepEqual(Object.keys(Object(at(secret, "stringData"))).length, 5);
});

test("sessionManifests() meets Pod Security restricted", () => {
  const { pod } = manifests();
  assert.deepEqual(at(pod, "spec", "securityContext"), {
    runAsNonRoot: true,
    runAsUser: 65_532,
    runAsGroup: 65_532,
    fsGroup: 65_532,
    seccompProfile: { type: "RuntimeDefault" },
  });
  assert.deepEqual(at(container(pod), "securityContext"), {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    privileged: false,
    capabilities: { drop: ["ALL"] },
  });
  assert.equal(at(pod, "spec", "automountServiceAccountToken"), false);
  assert.equal(at(pod, "spec", "enableServiceLinks"), false);
});

test("sessionManifests() mounts the Secret over the user database, readable by the pod's group", () => {
  const { secret, pod } = manifests();
  assert.deepEqual(listAt(pod, "spec", "volumes"), [
    { name: "session", secret: { secretName: textAt(secret, "metadata", "name"), defaultMode: 0o440 } },
  ]);
  assert.deepEqual(listAt(container(pod), "volumeMounts"), [
    { name: "session", mountPath: "/etc/localizer", readOnly: true },
    { name: "session", mountPath: "/etc/passwd", subPath: "passwd", readOnly: true },
    { name: "session", mountPath: "/etc/group", subPath: "group", readOnly: true },
  ]);
});

test("sessionManifests() asks for low ports only when a target port is one", () => {
  const sysctls = (remote: number) =>
    listAt(manifests({ ports: [exposedPort(remote)] }).pod, "spec", "securityContext", "sysctls");
  assert.deepEqual(sysctls(1023), [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }]);
  assert.deepEqual(sysctls(1024), []);
});

test("sessionManifests() names a container port once for each name, and a number that has none", () => {
  const ports = [
    exposedPort(8080, "http"),
    exposedPort(8080),
    exposedPort(8080, "http"),
    exposedPort(9090),
    exposedPort(9090),
  ];
  assert.deepEqual(listAt(container(manifests({ ports }).pod), "ports"), [
    { name: "http", containerPort: 8080, protocol: "TCP" },
    { containerPort: 9090, protocol: "TCP" },
  ]);
});

test("sessionManifests() keeps two names of one port", () => {
  const ports = [exposedPort(8080, "http"), exposedPort(8080, "web")];
  const names = listAt(container(manifests({ ports }).pod), "ports").map((port) => at(port, "name"));
  assert.deepEqual(names, ["http", "web"]);
});

test("sessionManifests() moves sshd out of a target port's way", () => {
  const { sshPort, secret } = manifests({ ports: [exposedPort(2222)] });
  assert.equal(sshPort, 2223);
  assert.match(textAt(secret, "stringData", "sshd_config") ?? "", /^Port 2223$/m);
});

test("sessionManifests() runs as the namespace's user where it has one", () => {
  const { pod, secret } = withSettings({ runAsUser: 1_000_680_000 });
  for (const field of ["runAsUser", "runAsGroup", "fsGroup"]) {
    assert.equal(at(pod, "spec", "securityContext", field), 1_000_680_000, field);
  }
  assert.match(textAt(secret, "stringData", "passwd") ?? "", /^localizer:\*:1000680000:1000680000:/);
});

test("sessionManifests() takes over what the plan says of the pods it stands in for", () => {
  const settings: PodSettings = {
    imagePullSecrets: ["registry"],
    nodeSelector: { disk: "ssd" },
    tolerations: [{ key: "team", operator: "Exists" }],
    priorityClassName: "high",
    hostname: "cart-0",
    subdomain: "cart",
  };
  const { pod } = manifests({ pod: settings }, { pullSecrets: ["registry", "own"] });
  assert.deepEqual(at(pod, "spec", "imagePullSecrets"), [{ name: "registry" }, { name: "own" }]);
  assert.deepEqual(at(pod, "spec", "nodeSelector"), { disk: "ssd" });
  assert.deepEqual(at(pod, "spec", "tolerations"), [{ key: "team", operator: "Exists" }]);
  assert.equal(at(pod, "spec", "priorityClassName"), "high");
  assert.equal(at(pod, "spec", "hostname"), "cart-0");
  assert.equal(at(pod, "spec", "subdomain"), "cart");
});

test("sessionManifests() says nothing where there is nothing to take over", () => {
  const spec = Object(at(manifests().pod, "spec"));
  for (const field of [
    "imagePullSecrets",
    "nodeSelector",
    "tolerations",
    "priorityClassName",
    "hostname",
    "subdomain",
  ]) {
    assert.ok(!(field in spec), field);
  }
});

test("sessionManifests() uses the image and resources that were chosen", () => {
  const pod = container(manifests({}, { image: "registry.example/sshd:1", memoryLimit: "64Mi" }).pod);
  assert.equal(at(pod, "image"), "registry.example/sshd:1");
  assert.deepEqual(at(pod, "resources"), {
    requests: { cpu: "10m", memory: "32Mi" },
    limits: { cpu: "1", memory: "64Mi" },
  });
});

test("sessionManifests() makes the pod of a second attempt under another name", () => {
  assert.equal(textAt(manifests({}, {}, { attempt: 2 }).pod, "metadata", "name"), "localizer-cart-0a1b2c3d-2");
});

test("podName() is a label that isPodOf() knows, with localizer- and the session, whatever the Service is called", () => {
  const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
  const attempts = fc.integer({ min: 1, max: 99_999 });
  fc.assert(
    fc.property(name, attempts, (service, attempt) => {
      const made = podName(serviceKey("shop", service), { session, attempt });
      assert.ok(isPodOf(session, made) && !isPodOf("b".repeat(36), made), made);
      assert.ok(isDnsLabel(made), made);
      assert.match(made, attempt === 1 ? /^localizer-.*-0a1b2c3d$/ : new RegExp(`^localizer-.*-0a1b2c3d-${attempt}$`));
    }),
  );
});

test("podName() tells long names apart", () => {
  const [one, other] = ["a", "b"].map((end) =>
    podName(serviceKey("shop", `${"x".repeat(60)}${end}`), { session, attempt: 1 }),
  );
  assert.notEqual(one, other);
});

test("sessionManifests() throws before anything is sent when a label is not the user's to set", () => {
  assert.throws(
    () => manifests({}, { labels: { app: "mine" } }),
    (error) => codeOf(error) === "usage" && /label "app".*"shop\/cart".*selector/.test(String(error)),
  );
});
