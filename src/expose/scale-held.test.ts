import assert from "node:assert/strict";
import { test } from "node:test";
import { ExposeLab, exampleOwner, sessions } from "../../test/support/expose-lab.ts";
import { Objects } from "../kube/objects.ts";
import { annotations } from "./records.ts";
import { describeOwner, heldOwner, scaleDown } from "./scale.ts";

const alice = { session: sessions.alice, holder: "alice@laptop" };
const { signal } = new AbortController();

test("heldOwner() sees an owner as scaleDown() left it, and who has written its number", async () => {
  await using lab = await ExposeLab.open();
  for (const owner of [lab.deployment("cart", 3), lab.widget("cart", 3)]) {
    await scaleDown(lab.components, owner, alice);
    const held = await heldOwner(lab.components, owner, sessions.alice, signal);
    assert.deepEqual(held, { replicas: 0, isMarked: true, writer: "localizer" });
    const others = await heldOwner(lab.components, owner, sessions.bob, signal);
    assert.equal(others?.isMarked, false);
  }
});

test("heldOwner() names the last of all who have written the number", async () => {
  await using lab = await ExposeLab.open();
  const owner = lab.deployment("cart", 3);
  await scaleDown(lab.components, owner, alice);
  lab.patch("deployments.apps", "cart", { spec: { replicas: 2 } }, "argocd-controller");
  lab.patch("deployments.apps", "cart", { metadata: { labels: { team: "a" } } }, "kubectl");
  const held = await heldOwner(lab.components, owner, sessions.alice, signal);
  assert.deepEqual(held, { replicas: 2, isMarked: true, writer: "argocd-controller" });
});

test("heldOwner() takes the newest of several that own the number, as server-side apply leaves them", async () => {
  const fieldsV1 = { "f:spec": { "f:replicas": {} } };
  const managedFields = [
    { manager: "helm", time: "2026-01-31T10:00:00Z", fieldsV1 },
    { manager: "hpa", time: "2026-01-31T10:02:00Z", fieldsV1 },
    { manager: "kubectl", time: "2026-01-31T10:03:00Z", fieldsV1: { "f:spec": { "f:template": {} } } },
    { manager: "nobody", fieldsV1 },
  ];
  const object = { metadata: { uid: "uid-of-cart", managedFields }, spec: { replicas: 2 } };
  const components = { objects: new Objects({ request: async () => object }) };
  const held = await heldOwner(components, exampleOwner(), sessions.alice, signal);
  assert.equal(held?.writer, "hpa");
});

test("heldOwner() names nobody where nobody keeps the books, and has nothing of an owner made anew", async () => {
  await using lab = await ExposeLab.open();
  const owner = lab.deployment("cart", 3, { [annotations.session]: sessions.bob });
  const held = await heldOwner(lab.components, owner, sessions.alice, signal);
  assert.deepEqual(held, { replicas: 3, isMarked: false, writer: "" });
  lab.remove("deployments.apps", "cart");
  assert.equal(await heldOwner(lab.components, owner, sessions.alice, signal), undefined);
  lab.deployment("cart", 3);
  assert.equal(await heldOwner(lab.components, owner, sessions.alice, signal), undefined);
});

test("describeOwner() names kind, namespace and name", () => {
  assert.equal(describeOwner(exampleOwner()), 'Deployment "shop/cart"');
});
