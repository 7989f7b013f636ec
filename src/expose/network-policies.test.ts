import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cartService, deployed, shopObject, workload } from "../../test/support/shop-objects.ts";
import { cartPlan } from "../../test/support/shop-plan.ts";

const policy = (name: string, podSelector: object, policyTypes?: readonly string[]) =>
  shopObject("networking.k8s.io/v1", "NetworkPolicy", name, {
    spec: { podSelector, ...(policyTypes === undefined ? {} : { policyTypes }) },
  });
const labels = { app: "cart", tier: "backend" };
const cart = [cartService(), workload("Deployment", "cart", { podMetadata: { labels } })];
const backend = { matchLabels: { tier: "backend" } };
const isNot = "NetworkPolicy \"allow\" holds for the workload's pods and not for localizer's";
const alone = "callers that it alone lets in get no answer; --pod-label tier=backend makes it hold for it, too";

describe("preflight() looks at network policies:", () => {
  const table: readonly (readonly [what: string, policies: readonly object[], sentences: readonly string[]])[] = [
    [
      "one that lets callers come to the workload's pods alone",
      [policy("deny", {}, ["Ingress", "Egress"]), policy("allow", backend, ["Ingress"])],
      [`${isNot}, as "deny" does: ${alone}`],
    ],
    [
      "one that keeps callers off the workload's pods alone",
      [policy("allow", backend)],
      [
        `${isNot}: callers that it keeps off come to the local process; --pod-label tier=backend makes it hold for it, too`,
      ],
    ],
    [
      "one that no label of the pod's can bring about",
      [policy("allow", { matchExpressions: [{ key: "tier", operator: "Exists" }] })],
      [`${isNot}: callers that it keeps off come to the local process`],
    ],
    [
      "one for localizer's pod alone",
      [policy("deny", { matchExpressions: [{ key: "tier", operator: "DoesNotExist" }] })],
      [
        'NetworkPolicy "deny" holds for localizer\'s pod and not for those of the workload: callers that no policy lets in get no answer',
      ],
    ],
    [
      "nothing of one for both, for neither, or of what pods may connect to",
      [
        policy("all", {}),
        policy("both", { matchLabels: { app: "cart" } }),
        policy("other", { matchLabels: { app: "other" } }),
        policy("out", backend, ["Egress"]),
      ],
      [],
    ],
  ];
  for (const [what, policies, sentences] of table) {
    it(what, async () => {
      assert.deepEqual((await cartPlan({ objects: [...cart, ...policies] })).warnings, sentences);
    });
  }

  it("nothing of one that selects the pod by a label that the user gives it", async () => {
    const objects = [...cart, policy("deny", {}), policy("allow", backend)];
    const { warnings } = await cartPlan({ objects }, { pod: { labels: { tier: "backend" } } });
    assert.deepEqual(warnings, []);
  });

  it("says so where they may not be seen", async () => {
    const { warnings } = await cartPlan({ objects: cart, denied: ["list networkpolicies.networking.k8s.io"] });
    assert.deepEqual(warnings, [
      "Cannot see whether the network lets callers come to localizer's pod: you may not list networkpolicies",
    ]);
  });
});

describe("preflight() looks at the Service's traffic policies:", () => {
  const inside =
    "Callers on other nodes than localizer's pod find nobody: the Service leads to pods of the same node alone (internalTrafficPolicy: Local)";
  const outside =
    "Callers from outside find somebody at the node of localizer's pod alone: the Service leads to pods of the same node alone (externalTrafficPolicy: Local)";
  for (const [what, spec, sentences] of [
    ["internal Local", { internalTrafficPolicy: "Local" }, [inside]],
    ["external Local", { type: "LoadBalancer", externalTrafficPolicy: "Local" }, [outside]],
    ["both for all", { type: "NodePort", internalTrafficPolicy: "Cluster", externalTrafficPolicy: "Cluster" }, []],
    ["headless", { clusterIP: "None", internalTrafficPolicy: "Local" }, []],
  ] as const) {
    it(what, async () => {
      const { warnings } = await cartPlan({ objects: [cartService(spec), ...deployed("cart")] });
      assert.deepEqual(warnings, sentences);
    });
  }
});
