import assert from "node:assert/strict";
import { test } from "node:test";
import { cartService, deployed, shopObject, workload } from "../../test/support/shop-objects.ts";
import { cartPlan } from "../../test/support/shop-plan.ts";

const service = (name: string, selector: object) => shopObject("v1", "Service", name, { spec: { selector } });
const labelled = (labels: Readonly<Record<string, string>>) => ({ pod: { labels } });

test("preflight() knows which of the user's labels bring callers of other Services, and warns of them", async () => {
  const objects = [
    cartService(),
    ...deployed("cart", { podMetadata: { labels: { app: "cart", tier: "web" } } }),
    service("web", { tier: "web" }),
    service("mail", { app: "cart", part: "mail" }),
    service("far", { tier: "web", zone: "far" }),
  ];
  const { lateLabels, warnings } = await cartPlan({ objects }, labelled({ tier: "web", part: "mail", team: "a" }));
  assert.deepEqual(lateLabels, ["tier", "part"]);
  assert.deepEqual(warnings, [
    'Service "web" leads to pods of Deployment "cart", too: its callers get the local process, on the ports that are exposed',
    'Service "mail" comes to lead to localizer\'s pod, too: callers of it get the local process, on the ports that are exposed',
  ]);
  const plain = await cartPlan({ objects }, labelled({ team: "a" }));
  assert.equal(plain.lateLabels, undefined);
  assert.deepEqual(plain.warnings, [
    'Service "web" leads to pods of Deployment "cart", too: it loses these endpoints while they are at 0',
  ]);
});

test("preflight() tells with a label that mends a NetworkPolicy which Services it brings", async () => {
  const labels = { app: "cart", tier: "backend" };
  const allow = { spec: { podSelector: { matchLabels: { tier: "backend" } } } };
  const { warnings } = await cartPlan({
    objects: [
      cartService(),
      workload("Deployment", "cart", { podMetadata: { labels } }),
      shopObject("networking.k8s.io/v1", "NetworkPolicy", "allow", allow),
      service("all", { tier: "backend" }),
    ],
  });
  assert.equal(
    warnings[0],
    "NetworkPolicy \"allow\" holds for the workload's pods and not for localizer's: callers that it keeps off come to the local process; " +
      '--pod-label tier=backend makes it hold for it, too, and brings callers of Service "all" to the local process',
  );
});
