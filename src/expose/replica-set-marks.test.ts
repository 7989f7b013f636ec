import assert from "node:assert/strict";
import { test } from "node:test";
import { ExposeLab, sessions } from "../../test/support/expose-lab.ts";
import { held } from "../../test/support/exposed-cart.ts";
import { unmarkReplicaSets } from "./replica-set-marks.ts";

const kind = "replicasets.apps";
const { signal } = new AbortController();

/** A ReplicaSet of the owner with that uid, with marks and an annotation of the team's. */
function replicaSet(lab: ExposeLab, name: string, uid: string, session: string): void {
  const marks = { ...held(session), "team.example/owner": "shop" };
  lab.add(kind, name, { annotations: marks, spec: { replicas: 0 } });
  const ownerReferences = [{ apiVersion: "apps/v1", kind: "Deployment", name: "cart", uid, controller: true }];
  lab.patch(kind, name, { metadata: { ownerReferences } });
}

test("unmarkReplicaSets() takes off the session's marks of this Deployment's, and nothing else", async () => {
  await using lab = await ExposeLab.open();
  const owner = lab.deployment("cart", 3);
  replicaSet(lab, "cart-1", owner.uid, sessions.alice);
  replicaSet(lab, "cart-2", owner.uid, sessions.bob);
  replicaSet(lab, "web-1", "another", sessions.alice);
  await unmarkReplicaSets(lab.objects, owner, sessions.alice, signal);
  assert.deepEqual(lab.writes, ["PATCH replicasets/cart-1"]);
  assert.deepEqual(lab.find(kind, "cart-1")?.metadata.annotations, { "team.example/owner": "shop" });
});

test("unmarkReplicaSets() looks again when somebody writes in between, and leaves another session's marks", async () => {
  for (const session of [sessions.alice, sessions.bob]) {
    const found: { lab?: ExposeLab } = {};
    await using lab = await ExposeLab.open({
      onRequest({ method }) {
        if (method !== "PATCH") return;
        const status = { replicas: Math.random() };
        found.lab?.patch(kind, "cart-1", { metadata: { annotations: held(session) }, status });
        delete found.lab;
      },
    });
    const owner = lab.deployment("cart", 3);
    replicaSet(lab, "cart-1", owner.uid, sessions.alice);
    found.lab = lab;
    await unmarkReplicaSets(lab.objects, owner, sessions.alice, signal);
    const left = lab.find(kind, "cart-1")?.metadata.annotations;
    assert.equal(Object.keys(left ?? {}).length, session === sessions.alice ? 1 : 4);
  }
});

test("unmarkReplicaSets() has nothing to do with owners of another kind", async () => {
  await using lab = await ExposeLab.open();
  const owner = lab.widget("cart", 3);
  replicaSet(lab, "cart-1", owner.uid, sessions.alice);
  await unmarkReplicaSets(lab.objects, owner, sessions.alice, signal);
  assert.deepEqual(lab.writes, []);
});
