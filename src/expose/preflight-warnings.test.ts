import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FakeKubeOptions } from "../../test/support/fake-kube.ts";
import { cartPod, cartService, deployed, shopObject, workload } from "../../test/support/shop-objects.ts";
import { cartPlan } from "../../test/support/shop-plan.ts";
import { planLines } from "./plan-lines.ts";

const scaledObjects = { apiVersion: "keda.sh/v1alpha1", kind: "ScaledObject", plural: "scaledobjects" } as const;
const target = { apiVersion: "apps/v1", kind: "Deployment", name: "cart" };
const hpa = (name: string, options: object = {}, scaleTargetRef: object = target) =>
  shopObject("autoscaling/v2", "HorizontalPodAutoscaler", name, { ...options, spec: { scaleTargetRef } });
const keda = (name: string, annotations = {}, scaleTargetRef: object = { name: "cart" }) =>
  shopObject(scaledObjects.apiVersion, "ScaledObject", name, { annotations, spec: { scaleTargetRef } });
const byKeda = { owner: { apiVersion: scaledObjects.apiVersion, kind: "ScaledObject", name: "cart" } };
const namespace = (labels: object, annotations = {}) => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: "shop", labels, annotations },
});
const otherService = (name: string, selector: object) => shopObject("v1", "Service", name, { spec: { selector } });
const withCart = (...others: readonly object[]) => ({ objects: [cartService(), ...deployed("cart"), ...others] });
const deployedAs = (options: Parameters<typeof deployed>[1]) => ({
  objects: [cartService(), ...deployed("cart", options)],
});
const mesh = (name: string) =>
  `The pods are in a mesh (${name}), and localizer's own is not: callers that insist on mutual TLS are refused, unless the pod's mesh setting is "inherit"`;
const paused = 'annotate it with autoscaling.keda.sh/paused-replicas: "0" for as long as the Service is exposed';
const reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const slice = (name: string, labels: object, endpoints: readonly object[]) => ({
  ...shopObject("discovery.k8s.io/v1", "EndpointSlice", name, {
    labels: { "kubernetes.io/service-name": "cart", ...labels },
  }),
  endpoints,
});
const managedBy = "endpointslice.kubernetes.io/managed-by";

const table: readonly (readonly [what: string, options: FakeKubeOptions, sentences: readonly string[]])[] = [
  [
    "a Service that nobody stands behind",
    { objects: [cartService()] },
    ['The Service has no pods, and no workload of namespace "shop" makes pods for it: nothing is scaled'],
  ],
  [
    "a Service that nobody who can be seen stands behind",
    { objects: [cartService()], denied: ["list statefulsets.apps"], broken: ["/apis/autoscaling/v2"] },
    [
      'The Service has no pods, and no workload of namespace "shop" makes pods for it: nothing is scaled',
      'Cannot look for workloads among "statefulsets.apps": you may not list them',
      "Cannot look for workloads in a part of the API: Cannot get /apis/autoscaling/v2",
    ],
  ],
  [
    "pods whose owner is gone",
    withCart(cartPod("left", { owner: { ...target, kind: "ReplicaSet", name: "gone" } })),
    ['ReplicaSet "gone" does not exist any more: what is left of its pods is left alone'],
  ],
  [
    "ports that are not TCP",
    {
      objects: [
        cartService({
          ports: [
            { port: 53, protocol: "UDP" },
            { port: 80, targetPort: 8080 },
          ],
        }),
        ...deployed("cart"),
      ],
    },
    ["Port 53/UDP is not exposed, for SSH carries TCP only: nobody answers there"],
  ],
  [
    "a port whose name no container has",
    {
      objects: [
        cartService({
          ports: [
            { name: "http", port: 80, targetPort: 8080 },
            { name: "m", port: 90, targetPort: "metrics" },
          ],
        }),
        ...deployed("cart"),
      ],
    },
    ['Port 90/TCP is not exposed, for no container has a port named "metrics", which it leads to'],
  ],
  [
    "an owner that somebody holds",
    deployedAs({
      annotations: {
        "localizer.dev/session": "bbbbbbbb-0000-4000-8000-000000000002",
        "localizer.dev/holder": "jo@box",
        "localizer.dev/original-replicas": "2",
      },
    }),
    ['Deployment "cart" has the marks of an exposure of "jo@box", and had 2 replicas before'],
  ],
  [
    "workloads on different nodes",
    {
      objects: [
        cartService(),
        ...deployed("blue"),
        ...deployed("green", { podSpec: { nodeSelector: { disk: "ssd" } } }),
      ],
    },
    ['Deployment "blue" and Deployment "green" want other nodes: localizer\'s pod goes where the first one may'],
  ],
  [
    "an HPA of the owner, not those of others",
    withCart(
      hpa("cart"),
      hpa("other", {}, { ...target, name: "other" }),
      hpa("set", {}, { ...target, kind: "StatefulSet" }),
    ),
    ['HorizontalPodAutoscaler "cart" pauses while Deployment "cart" is at 0, and goes on when the replicas are back'],
  ],
  [
    "HPAs that may not be seen",
    { ...withCart(hpa("cart")), denied: ["list horizontalpodautoscalers.autoscaling"] },
    ["Cannot see what scales the workload by itself: you may not list horizontalpodautoscalers.autoscaling"],
  ],
  [
    "KEDA, once, though it has an HPA made",
    {
      ...withCart(
        keda("cart"),
        hpa("keda-hpa-cart", byKeda),
        keda("paused", { "autoscaling.keda.sh/paused": "true" }),
        keda("at-0", { "autoscaling.keda.sh/paused-replicas": "0" }),
        keda("other", {}, { name: "other" }),
      ),
      kinds: [scaledObjects],
    },
    [`KEDA's ScaledObject "cart" may start pods of Deployment "cart" again: ${paused}`],
  ],
  [
    "KEDA that keeps pods although it is paused",
    { ...withCart(keda("cart", { "autoscaling.keda.sh/paused-replicas": "2" })), kinds: [scaledObjects] },
    [`KEDA's ScaledObject "cart" may start pods of Deployment "cart" again: ${paused}`],
  ],
  [
    "KEDA's objects that may not be seen, and what it has made",
    {
      ...withCart(keda("cart"), hpa("keda-hpa-cart", byKeda)),
      kinds: [scaledObjects],
      denied: ["list scaledobjects.keda.sh"],
    },
    [
      "Cannot see what scales the workload by itself: you may not list scaledobjects.keda.sh",
      `KEDA's ScaledObject "cart" may start pods of Deployment "cart" again: ${paused}`,
    ],
  ],
  ["no KEDA when its API is out of order", { ...withCart(), broken: ["/apis/keda.sh/v1alpha1"] }, []],
  [
    "Argo CD",
    deployedAs({ annotations: { "argocd.argoproj.io/tracking-id": "store:apps/Deployment:shop/cart" } }),
    [
      'Argo CD\'s Application "store" keeps Deployment "cart": if it heals itself and git says the replicas, it puts them back while the Service is exposed',
    ],
  ],
  [
    "Flux's Kustomization",
    deployedAs({ labels: { "kustomize.toolkit.fluxcd.io/name": "apps" } }),
    [
      'Flux\'s Kustomization "apps" keeps Deployment "cart": if it says the replicas, it puts them back with its next reconciliation; ' +
        "annotate it with kustomize.toolkit.fluxcd.io/reconcile: disabled for as long as the Service is exposed",
    ],
  ],
  [
    "no Flux that leaves the workload alone",
    deployedAs({
      labels: { "kustomize.toolkit.fluxcd.io/name": "apps" },
      annotations: { "kustomize.toolkit.fluxcd.io/reconcile": "disabled" },
    }),
    [],
  ],
  [
    "Flux's HelmRelease",
    deployedAs({ labels: { "helm.toolkit.fluxcd.io/name": "cart" } }),
    [
      'Flux\'s HelmRelease "cart" keeps Deployment "cart": if it says the replicas, it puts them back with its next upgrade or drift correction',
    ],
  ],
  [
    "an operator",
    deployedAs({ owner: { apiVersion: "example.com/v1", kind: "Shop", name: "main" } }),
    ['Deployment "cart" belongs to Shop "main", whose operator may put the replicas back while the Service is exposed'],
  ],
  ["Istio in the namespace", withCart(namespace({ "istio-injection": "enabled" })), [mesh("Istio")]],
  [
    "no Istio where the pods stay out of it",
    {
      objects: [
        namespace({ "istio-injection": "enabled" }),
        cartService(),
        workload("StatefulSet", "cart", {
          podMetadata: { labels: { app: "cart", "sidecar.istio.io/inject": "false" } },
        }),
      ],
    },
    [],
  ],
  ["Istio's ambient mode", withCart(namespace({ "istio.io/dataplane-mode": "ambient" })), [mesh("Istio")]],
  [
    "Istio in the pod",
    withCart(
      cartPod("x", { annotations: { "sidecar.istio.io/status": "{}" }, owner: { ...target, kind: "Deployment" } }),
    ),
    [mesh("Istio")],
  ],
  [
    "Linkerd in the template",
    deployedAs({ podMetadata: { labels: { app: "cart" }, annotations: { "linkerd.io/inject": "enabled" } } }),
    [mesh("Linkerd")],
  ],
  ["Linkerd in the namespace", withCart(namespace({}, { "linkerd.io/inject": "ingress" })), [mesh("Linkerd")]],
  [
    "other Services of the same pods",
    {
      objects: [
        cartService(),
        ...deployed("cart", { podMetadata: { labels: { app: "cart", tier: "web" } } }),
        otherService("alias", { app: "cart" }),
        otherService("web", { tier: "web" }),
        otherService("by-hash", { app: "cart", "pod-template-hash": "1" }),
        otherService("far", { app: "cart", tier: "db" }),
        otherService("by-hand", {}),
      ],
    },
    [
      'Service "alias" leads to pods of Deployment "cart", too: its callers get the local process, on the ports that are exposed',
      'Service "web" leads to pods of Deployment "cart", too: it loses these endpoints while they are at 0',
      'Service "by-hash" leads to pods of Deployment "cart", too: it loses these endpoints while they are at 0',
    ],
  ],
  [
    "other Services that may not be seen",
    { ...withCart(), denied: ["list services"] },
    ["Cannot see which other Services lead to the same pods: you may not list services"],
  ],
  [
    "endpoints that somebody else writes",
    withCart(
      slice("cart-x", { [managedBy]: "endpointslice-controller.k8s.io" }, [{}]),
      slice("by-hand", {}, [{}, {}]),
      slice("meshed", { [managedBy]: "mesh.example.com" }, [{}]),
      slice("empty", {}, []),
    ),
    [
      'EndpointSlice "by-hand" is written by hand: its endpoints (2) go on answering beside the local process',
      'EndpointSlice "meshed" is written by "mesh.example.com": its endpoints (1) go on answering beside the local process',
    ],
  ],
  [
    "rights that nobody could tell",
    { ...withCart(), broken: [reviews] },
    [
      "Cannot tell whether you may do all that is needed with services (get), endpointslices.discovery.k8s.io (list, watch), " +
        "pods (create, get, list, watch, patch, delete), secrets (create, get, delete), " +
        "leases.coordination.k8s.io (create, get, patch, delete) and 2 more: " +
        `Cannot get ${reviews}`,
    ],
  ],
];

describe("preflight() has it for an error, and goes ahead, that there is", () => {
  for (const [what, options, sentence] of [
    [
      "a bare pod",
      withCart(cartPod("alone")),
      'Pod "alone" has no controller: it is left alone and goes on answering beside the local process',
    ],
    [
      "nothing but bare pods",
      { objects: [cartService(), cartPod("one"), cartPod("two")] },
      'Pods "one", "two" have no controller: they are left alone and go on answering beside the local process',
    ],
  ] as const) {
    it(what, async () => {
      const plan = await cartPlan(options);
      assert.deepEqual([plan.errors, plan.warnings], [[sentence], []]);
      const told = planLines(plan).filter(({ level }) => level === "error");
      assert.deepEqual(told, [{ level: "error", step: "preflight", message: sentence }]);
    });
  }
});

describe("preflight() warns of", () => {
  for (const [what, options, sentences] of table) {
    it(what, async () => {
      const { warnings } = await cartPlan(options);
      assert.deepEqual(warnings, sentences);
    });
  }
});
