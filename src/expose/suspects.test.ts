import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  calling,
  cart,
  ExposeLab,
  exampleOwner,
  exampleRecord,
  keptLines,
  sessions,
} from "../../test/support/expose-lab.ts";
import { serviceKey } from "../model/service-key.ts";
import { annotations } from "./records.ts";
import { takeLease } from "./session-lease.ts";
import { findSuspects, type SearchScope, scalableKinds } from "./suspects.ts";

const mark = { [annotations.session]: sessions.alice, [annotations.replicas]: "3" };

/** What is found, in short, and what is said. */
async function look(lab: ExposeLab, scope: SearchScope = {}) {
  const { lines, report } = keptLines();
  const options = { signal: AbortSignal.timeout(10_000), report };
  const found = await findSuspects(lab.components, scope, await scalableKinds(lab.components, options), options);
  const suspects = found.map(({ session, namespace, key, lease, owners, refusal }) => ({
    ...{ session, namespace, key, hasLease: lease !== undefined },
    ...(refusal === undefined ? {} : { refusal: refusal.message }),
    owners: [...owners.values()].map(({ plural, name, fallback }) => [plural, name, fallback]),
  }));
  return { suspects, said: lines.map(({ message }) => message) };
}

describe("findSuspects()", () => {
  it("finds a Lease with the owners of its record, and those that name its session", async () => {
    await using lab = await ExposeLab.open();
    const owner = lab.deployment("web", 0, mark);
    lab.widget("extra", 0, mark);
    await takeLease(lab.components, exampleRecord({ owners: [owner] }), { durationMs: 60_000 });
    const { suspects, said } = await look(lab);
    assert.deepEqual(said, []);
    assert.deepEqual(
      suspects.map(({ owners, ...rest }) => ({ ...rest, owners: owners.sort() })),
      [
        {
          ...{ session: sessions.alice, namespace: "shop", key: cart, hasLease: true },
          owners: [
            ["deployments", "web", 0],
            ["widgets", "extra", undefined],
          ],
        },
      ],
    );
  });

  it("finds owners whose session has no Lease any more", async () => {
    await using lab = await ExposeLab.open();
    lab.deployment("web", 0, mark);
    const owners = [["deployments", "web", undefined]];
    const expected = { session: sessions.alice, namespace: "shop", key: undefined, hasLease: false, owners };
    assert.deepEqual((await look(lab)).suspects, [expected]);
    assert.deepEqual((await look(lab, { namespace: "bank" })).suspects, []);
  });

  it("takes no session that begins meanwhile for one whose Lease is gone", async () => {
    // Lease and mark come between what is asked for first and what is asked for last.
    let begun: Promise<unknown> | undefined;
    await using lab: ExposeLab = await ExposeLab.open({
      onRequest({ method, path }) {
        if (method !== "GET" || !/deployments$|leases$/.test(path) || begun !== undefined) return;
        begun = takeLease(lab.components, exampleRecord(), { durationMs: 60_000 });
        lab.deployment("web", 0, mark);
      },
    });
    const { suspects } = await look(lab);
    await begun;
    for (const { hasLease } of suspects) assert.ok(hasLease);
  });

  it("takes no session for one without a Lease because somebody has changed its labels", async () => {
    await using lab = await ExposeLab.open();
    const owner = lab.deployment("web", 0, mark);
    await takeLease(lab.components, exampleRecord({ owners: [owner] }), { durationMs: 60_000 });
    await takeLease(lab.components, exampleRecord({ key: serviceKey("bank", "cart") }), { durationMs: 60_000 });
    for (const labels of [{ "app.kubernetes.io/managed-by": "policy" }, { "localizer.dev/session": null }] as const) {
      lab.patch("leases.coordination.k8s.io", "localizer-cart", { metadata: { labels } as object });
      const { suspects } = await look(lab, { namespace: "shop" });
      assert.deepEqual(
        suspects.map(({ key, hasLease, owners }) => ({ key, hasLease, owners })),
        [{ key: cart, hasLease: true, owners: [["deployments", "web", 0]] }],
      );
    }
  });

  it("does not believe what a ReplicaSet has from its Deployment", async () => {
    await using lab = await ExposeLab.open();
    const web = { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: "1", controller: true };
    const operator = { apiVersion: "example.com/v1", kind: "Operator", name: "op", uid: "2", controller: true };
    for (const [name, ownerReference] of [
      ["web-1", web],
      ["op-1", operator],
    ] as const) {
      const { metadata } = lab.add("replicasets.apps", name, { annotations: mark, spec: { replicas: 0 } });
      lab.patch("replicasets.apps", metadata.name, { metadata: { ownerReferences: [ownerReference] } });
    }
    const { suspects } = await look(lab);
    assert.deepEqual(
      suspects.map(({ owners }) => owners),
      [[["replicasets", "op-1", undefined]]],
    );
  });

  it("looks at what it may, and says what else there is", async () => {
    await using lab = await ExposeLab.open();
    lab.widget("extra", 0, mark);
    lab.deployment("web", 0, mark);
    lab.fail(calling("list", "widgets"), { kind: "forbidden" });
    const { suspects, said } = await look(lab);
    assert.deepEqual(suspects[0]?.owners, [["deployments", "web", undefined]]);
    assert.equal(said.length, 1);
    assert.match(said[0] ?? "", /^Did not look at widgets: /);
  });

  it("keeps sessions of different namespaces apart, though they have one name", async () => {
    await using lab = await ExposeLab.open();
    await takeLease(lab.components, exampleRecord({ key: serviceKey("bank", "cart") }), { durationMs: 60_000 });
    await takeLease(lab.components, exampleRecord(), { durationMs: 60_000 });
    lab.add("deployments.apps", "web", { annotations: mark, spec: { replicas: 0 } }, "bank");
    const { suspects } = await look(lab);
    assert.deepEqual(
      suspects.map(({ namespace, refusal, owners }) => [namespace, refusal, owners]),
      [
        ["bank", undefined, [["deployments", "web", undefined]]],
        ["shop", undefined, []],
      ],
    );
  });

  it("lets nobody end a session that two Leases name", async () => {
    await using lab = await ExposeLab.open();
    for (const name of ["cart", "other"]) {
      await takeLease(lab.components, exampleRecord({ key: serviceKey("shop", name) }), { durationMs: 60_000 });
    }
    const { suspects } = await look(lab);
    assert.equal(suspects.length, 1);
    assert.match(suspects[0]?.refusal ?? "", /"shop\/localizer-cart" and "shop\/localizer-other" both name it/);
  });

  it("lets nobody scale what the cluster does not call scalable, as long as it exists", async () => {
    await using lab = await ExposeLab.open();
    const { metadata } = lab.add("configmaps", "web");
    const map = exampleOwner({
      ...{ group: "", plural: "configmaps", kind: "ConfigMap" },
      name: "web",
      uid: metadata.uid,
    });
    await takeLease(lab.components, exampleRecord({ owners: [map] }), { durationMs: 60_000 });
    const refusal = (await look(lab)).suspects[0]?.refusal;
    assert.equal(
      refusal,
      'Cannot scale ConfigMap "shop/web" back: the cluster does not say that it can be scaled in this way',
    );
    lab.remove("configmaps", "web");
    assert.equal((await look(lab)).suspects[0]?.refusal, undefined);
  });

  it("says so when it could not be asked what can be scaled, rather than that this cannot", async () => {
    await using lab = await ExposeLab.open();
    const owner = lab.deployment("web", 0, mark);
    await takeLease(lab.components, exampleRecord({ owners: [owner] }), { durationMs: 60_000 });
    lab.failDiscovery("apps");
    const refusal = (await look(lab)).suspects[0]?.refusal;
    assert.equal(
      refusal,
      'Cannot scale Deployment "shop/web" back: API group "apps" could not be asked what can be scaled; try again when it answers',
    );
    assert.equal((await look(lab)).suspects[0]?.refusal, undefined);
  });

  it("takes no copy of a mark for its ReplicaSet's own while the controller's group gives no answer", async () => {
    await using lab = await ExposeLab.open();
    const controller = { apiVersion: "example.com/v1", kind: "Widget", name: "w", uid: "1", controller: true };
    lab.add("replicasets.apps", "w-1", { annotations: mark, spec: { replicas: 0 } });
    lab.patch("replicasets.apps", "w-1", { metadata: { ownerReferences: [controller] } });
    lab.failDiscovery("example.com");
    assert.deepEqual((await look(lab)).suspects, []);
  });

  it("leaves an owner to the Lease that speaks for it, though the mark of an ended session came back", async () => {
    await using lab = await ExposeLab.open();
    const owner = lab.deployment("web", 0, { ...mark, [annotations.session]: sessions.bob });
    await takeLease(lab.components, exampleRecord({ owners: [owner] }), { durationMs: 60_000 });
    assert.deepEqual(
      (await look(lab)).suspects.map(({ session }) => session),
      [sessions.alice],
    );
  });
});
