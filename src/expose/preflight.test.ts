import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  cartLabels,
  cartPod,
  cartService,
  deployed,
  shopComponents,
  shopObject,
  workload,
} from "../../test/support/shop-objects.ts";
import { cartPlan, cartWish, ownedBy } from "../../test/support/shop-plan.ts";
import { plannedOwners, preflight } from "./preflight.ts";

describe("preflight()", () => {
  it("plans what a session has to know, and asks for nothing but reads", async () => {
    const podSpec = {
      imagePullSecrets: [{ name: "pull" }],
      nodeSelector: { disk: "ssd" },
      tolerations: [{ key: "a" }],
    };
    const objects = [cartService(), ...deployed("cart", { podSpec, spec: { replicas: 2 } })];
    const components = shopComponents({ objects });
    assert.deepEqual(await preflight(components, { ...cartWish, maps: ["3000:80"] }), {
      key: cartWish.key,
      serviceUid: "uid-Service-cart",
      selector: cartLabels,
      ports: [{ servicePort: 80, name: "http", remote: 8080, remoteName: "", local: 3000 }],
      owners: [
        {
          ...{ group: "apps", version: "v1", plural: "deployments", kind: "Deployment" },
          ...{ namespace: "shop", name: "cart", uid: "uid-Deployment-cart" },
          ...{ replicas: 2, scaleBy: "spec", adopts: false },
        },
      ],
      pod: { imagePullSecrets: ["pull"], nodeSelector: { disk: "ssd" }, tolerations: [{ key: "a" }] },
      adopters: [],
      warnings: [],
    });
    const writes = components.calls.filter((call) => !call.startsWith("GET ") && !call.endsWith("accessreviews"));
    assert.deepEqual(writes, []);
  });

  it("says which owners and which others would adopt a pod with the Service's labels", async () => {
    const objects = [
      cartService(),
      workload("ReplicaSet", "cart"),
      cartPod("a", ownedBy("ReplicaSet", "cart")),
      workload("DaemonSet", "agent"),
      shopObject("v1", "ReplicationController", "old", { spec: { selector: { app: "other" } } }),
    ];
    const { owners, adopters } = await cartPlan({ objects });
    assert.deepEqual(
      owners.map(({ name, adopts }) => [name, adopts]),
      [["cart", true]],
    );
    assert.deepEqual(adopters, ['ReplicaSet "cart"', 'DaemonSet "agent"']);
  });

  it("looks past pods of exposures, of ended runs and those that leave", async () => {
    const ours = { ...cartLabels, "app.kubernetes.io/managed-by": "localizer", "localizer.dev/session": "s" };
    const objects = [
      cartService(),
      cartPod("localizer-cart", { labels: ours }),
      cartPod("done", { status: { phase: "Succeeded" } }),
      cartPod("leaving", { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }),
      ...deployed("cart"),
    ];
    const { owners, warnings } = await cartPlan({ objects });
    assert.deepEqual([owners.length, warnings], [1, []]);
  });

  it("finds workloads without pods by their templates: each once, the topmost, and none that has other labels by now", async () => {
    const rollouts = { apiVersion: "argoproj.io/v1alpha1", kind: "Rollout", plural: "rollouts", scale: true } as const;
    const template = { metadata: { labels: cartLabels } };
    const other = { podMetadata: { labels: { app: "other" } } };
    const [deployment, replicaSet] = deployed("cart", {
      spec: { replicas: 0 },
    });
    const [moved, formerly] = [
      workload("Deployment", "moved", other),
      workload("ReplicaSet", "m", ownedBy("Deployment", "moved")),
    ];
    assert.ok(deployment !== undefined && replicaSet !== undefined);
    const objects = [
      ...[cartService(), deployment, replicaSet, moved, formerly, workload("StatefulSet", "far", other)],
      shopObject(rollouts.apiVersion, "Rollout", "canary", { spec: { size: 4, template } }),
    ];
    const { owners, warnings } = await cartPlan({ objects, kinds: [rollouts] });
    assert.deepEqual(owners.map(({ kind, name, replicas }) => [kind, name, replicas]).sort(), [
      ["Deployment", "cart", 0],
      ["Rollout", "canary", 4],
    ]);
    assert.deepEqual(warnings, []);
  });

  it("takes a name below a headless Service, the first one", async () => {
    const named = (name: string) =>
      cartPod(name, { ...ownedBy("StatefulSet", "cart"), spec: { hostname: name, subdomain: "cart" } });
    const objects = [
      cartService({ clusterIP: "None" }),
      ...[named("cart-10"), named("cart-2"), workload("StatefulSet", "cart", { spec: { serviceName: "cart" } })],
    ];
    const { pod, warnings } = await cartPlan({ objects });
    assert.deepEqual([pod.hostname, pod.subdomain], ["cart-2", "cart"]);
    const sentence =
      'Of the pods\' own names only "cart-2" leads to the local process, and none of the others ("cart-10") anywhere while the Service is exposed';
    assert.deepEqual(warnings, [sentence]);
  });

  it("knows that name of a StatefulSet without pods", async () => {
    const spec = { replicas: 0, serviceName: "cart", ordinals: { start: 5 } };
    const { pod } = await cartPlan({
      objects: [cartService({ clusterIP: "None" }), workload("StatefulSet", "cart", { spec })],
    });
    assert.deepEqual([pod.hostname, pod.subdomain], ["cart-5", "cart"]);
  });

  for (const [range, expected] of [
    ["1000650000/10000", 1_000_650_000],
    ["1000650000-1000659999", 1_000_650_000],
    ["none", undefined],
  ] as const) {
    it(`runs as ${expected} in a namespace with the uid range "${range}"`, async () => {
      const annotations = { "openshift.io/sa.scc.uid-range": range };
      const metadata = { name: "shop", annotations };
      const objects = [cartService(), ...deployed("cart"), { apiVersion: "v1", kind: "Namespace", metadata }];
      assert.equal((await cartPlan({ objects })).pod.runAsUser, expected);
      assert.equal((await cartPlan({ objects, denied: ["get namespaces"] })).pod.runAsUser, undefined);
    });
  }

  it("keeps the pod's name of a port, and finds it in a sidecar, too", async () => {
    const sidecar = { restartPolicy: "Always", ports: [{ name: "web", containerPort: 9000 }] };
    const starter = { ports: [{ name: "web", containerPort: 1 }] };
    const objects = [
      cartService({ ports: [{ port: 80, targetPort: "web" }] }),
      ...deployed("cart", { podSpec: { initContainers: [starter, sidecar] } }),
    ];
    const { ports } = await cartPlan({ objects });
    assert.deepEqual(ports, [{ servicePort: 80, name: "", remote: 9000, remoteName: "web", local: 9000 }]);
  });
});

describe("plannedOwners()", () => {
  const [replicaSet, workloadOnly] = [workload("ReplicaSet", "cart"), workload("Deployment", "at-0")];
  const objects = [replicaSet, workloadOnly, cartPod("a", ownedBy("ReplicaSet", "cart")), cartPod("alone")];

  it("gives the owners of the pods that there are", async () => {
    const found = await plannedOwners(shopComponents({ objects }), { key: cartWish.key, selector: cartLabels });
    assert.deepEqual(
      found.owners.map(({ name, replicas, adopts }) => [name, replicas, adopts]),
      [["cart", 1, true]],
    );
  });

  it("gives none where there are no pods, and does not look for any", async () => {
    const components = shopComponents({ objects });
    assert.deepEqual(await plannedOwners(components, { key: cartWish.key, selector: { app: "other" } }), {
      owners: [],
      closed: [],
    });
    assert.equal(components.calls.length, 1);
  });
});
