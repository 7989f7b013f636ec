import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FakeKubeOptions } from "../../test/support/fake-kube.ts";
import { cartPod, cartService, deployed, shopObject, workload } from "../../test/support/shop-objects.ts";
import { cartPlan, ownedBy } from "../../test/support/shop-plan.ts";

const stateful = (spec: object) => [
  cartService(),
  cartPod("db-0", ownedBy("StatefulSet", "db")),
  workload("StatefulSet", "db", { spec: { volumeClaimTemplates: [{}], ...spec } }),
];
const losing = stateful({ persistentVolumeClaimRetentionPolicy: { whenScaled: "Delete" } });
const port = (name: string, containerPort: number) => ({
  podSpec: { containers: [{ ports: [{ name, containerPort }] }] },
});
const toWeb = cartService({ ports: [{ name: "http", port: 80, targetPort: "web" }] });
const rights = "pods (create, patch, delete), secrets (create), pods/portforward (create or get)";

describe("preflight() refuses", () => {
  const table: readonly (readonly [what: string, options: FakeKubeOptions, code: string, sentence: string])[] = [
    [
      "a Service that is missing, with the nearest names",
      { objects: ["card", "carts", "shop"].map((name) => shopObject("v1", "Service", name)) },
      "not-found",
      'Cannot expose "shop/cart": namespace "shop" has no such Service; did you mean "card", "carts"?',
    ],
    [
      "a Service that is missing among quite other ones",
      { objects: [shopObject("v1", "Service", "checkout")] },
      "not-found",
      'Cannot expose "shop/cart": namespace "shop" has no such Service, but "checkout"',
    ],
    [
      "a Service that is missing where Services may not be listed",
      { objects: [], denied: ["list services"] },
      "not-found",
      'Cannot expose "shop/cart": namespace "shop" has no such Service',
    ],
    [
      "a Service of type ExternalName",
      { objects: [cartService({ type: "ExternalName", externalName: "cart.example.com", selector: undefined })] },
      "conflict",
      'Cannot expose "shop/cart": it leads to the name "cart.example.com" (type ExternalName), not to pods',
    ],
    [
      "a Service without selector",
      { objects: [cartService({ selector: undefined })] },
      "conflict",
      'Cannot expose "shop/cart": it has no selector, so whoever writes its endpoints decides where it leads',
    ],
    [
      "a Service of UDP and SCTP only",
      {
        objects: [
          cartService({
            ports: [
              { port: 53, protocol: "UDP" },
              { port: 36412, protocol: "SCTP" },
            ],
          }),
          ...deployed("cart"),
        ],
      },
      "conflict",
      'Cannot expose "shop/cart": it has no TCP port, only 53/UDP, 36412/SCTP, which SSH cannot carry',
    ],
    [
      "a Service without ports",
      { objects: [cartService({ ports: [] }), ...deployed("cart")] },
      "conflict",
      'Cannot expose "shop/cart": it has no ports',
    ],
    [
      "a name for ports that no container has",
      { objects: [toWeb, ...deployed("cart", port("admin", 9000))] },
      "conflict",
      'Cannot expose "shop/cart": its ports lead to names (80 to "web") that no container of its pods has',
    ],
    [
      "a name for ports that two workloads understand differently",
      { objects: [toWeb, ...deployed("blue", port("web", 8080)), ...deployed("green", port("web", 9090))] },
      "conflict",
      'Cannot expose "shop/cart": its port 80 leads to "web", which is 8080 in Deployment "blue" and 9090 in Deployment "green"',
    ],
    [
      "pods of a DaemonSet and of a Job",
      {
        objects: [
          cartService(),
          cartPod("a", ownedBy("DaemonSet", "agent")),
          cartPod("b", { owner: { apiVersion: "batch/v1", kind: "Job", name: "once" } }),
        ],
      },
      "conflict",
      'Cannot expose "shop/cart": pods of it belong to DaemonSet "agent", Job "once", which cannot be scaled to 0',
    ],
    [
      "a StatefulSet whose volumes would be deleted",
      { objects: losing },
      "conflict",
      'Cannot expose "shop/cart": scaling StatefulSet "db" to 0 deletes its volumes and what is on them (whenScaled: Delete); --allow-volume-loss does it all the same',
    ],
    [
      "whoever lacks rights, naming each",
      {
        objects: [cartService(), ...deployed("cart")],
        denied: [
          ...["create pods", "patch pods", "delete pods", "create secrets"],
          ...["create pods/portforward", "get pods/portforward", "patch deployments.apps"],
        ],
      },
      "denied",
      `Cannot expose "shop/cart": in namespace "shop" you lack rights to ${rights.replace(", pods/portforward", ", deployments.apps (patch), pods/portforward")}`,
    ],
    [
      "whoever may not even see who stands behind the Service, naming all that is missing so far",
      {
        objects: [cartService(), ...deployed("cart")],
        denied: ["list endpointslices.discovery.k8s.io", "list pods", "create secrets", "get pods/portforward"],
      },
      "denied",
      'Cannot expose "shop/cart": in namespace "shop" you lack rights to endpointslices.discovery.k8s.io (list), pods (list), secrets (create)',
    ],
    [
      "whoever may not get the Service",
      { objects: [cartService(), ...deployed("cart")], denied: ["get services"] },
      "denied",
      'Cannot expose "shop/cart": in namespace "shop" you lack rights to services (get)',
    ],
    [
      "whoever may not see what owns the pods",
      { objects: [toWeb, ...deployed("cart", port("web", 8080))], denied: ["get deployments.apps"] },
      "denied",
      'Cannot expose "shop/cart": in namespace "shop" you lack rights to deployments.apps (get)',
    ],
  ];
  for (const [what, options, code, message] of table) {
    it(what, () => assert.rejects(cartPlan(options), { code, message }));
  }

  it("entries of the map that lead nowhere", async () => {
    const objects = [cartService(), ...deployed("cart")];
    const message =
      'Cannot map ports by "3000:81": the Service has no TCP port "81"; there is 80 (http) to 8080 of the pods';
    await assert.rejects(cartPlan({ objects }, { maps: ["3000:81"] }), { code: "usage", message });
  });

  it("nothing for a missing verb of the port-forward where there is another one", async () => {
    const objects = [cartService(), ...deployed("cart")];
    for (const verb of ["create", "get"]) {
      assert.deepEqual((await cartPlan({ objects, denied: [`${verb} pods/portforward`] })).warnings, []);
    }
  });

  it("nothing for volumes that may go, but says it", async () => {
    const { owners, warnings } = await cartPlan({ objects: losing }, { allowVolumeLoss: true });
    assert.equal(owners.length, 1);
    const sentence =
      'Scaling StatefulSet "db" to 0 deletes its volumes and what is on them (whenScaled: Delete), which you have allowed';
    assert.deepEqual(warnings, [sentence]);
  });

  it("whoever may not scale a custom resource", async () => {
    const owner = { apiVersion: "argoproj.io/v1alpha1", kind: "Rollout", name: "cart" };
    const kinds = [{ ...owner, plural: "rollouts", scale: true }];
    const objects = [
      cartService(),
      cartPod("a", { owner }),
      shopObject(owner.apiVersion, "Rollout", "cart", { spec: { size: 1 } }),
    ];
    const message =
      'Cannot expose "shop/cart": in namespace "shop" you lack rights to rollouts.argoproj.io/scale (update)';
    await assert.rejects(cartPlan({ objects, kinds, denied: ["update rollouts.argoproj.io/scale"] }), {
      code: "denied",
      message,
    });
  });
});
