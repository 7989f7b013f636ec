import assert from "node:assert/strict";
import { test } from "node:test";
import {
  calling,
  cart,
  ExposeLab,
  exampleOwner,
  exampleRecord,
  keptLines,
  sessions,
} from "../../test/support/expose-lab.ts";
import { LocalizerError } from "../errors.ts";
import { numberAt } from "../kube/json.ts";
import { serviceKey } from "../model/service-key.ts";
import { endDead, type RestoreOptions, type RestoreScope, restoreForgotten } from "./forgotten.ts";
import { annotations, labels, type SessionRecord } from "./records.ts";
import { claimLease, takeLease } from "./session-lease.ts";

const leases = "leases.coordination.k8s.io";
const durationMs = 5_000;

function held(...names: readonly string[]) {
  return { [annotations.session]: names.join(","), [annotations.replicas]: "3", [annotations.holder]: "alice@laptop" };
}

function take(lab: ExposeLab, parts: Partial<SessionRecord> = {}) {
  return takeLease(lab.components, exampleRecord(parts), { durationMs });
}

/** Runs it, moving the clock on; `onLook` is called when somebody waits for a sign of life. */
async function restore(
  lab: ExposeLab,
  scope: RestoreScope = {},
  parts: Partial<RestoreOptions> & { readonly onLook?: () => void } = {},
) {
  const { report, lines } = keptLines();
  const { signal } = new AbortController();
  const { onLook, ...options } = parts;
  const began = lab.clock.monotonic();
  const work = restoreForgotten(lab.components, scope, { signal, report, waitMs: 0, ...options });
  let isOver = false;
  const over = work.finally(() => {
    isOver = true;
  });
  over.catch(() => {});
  for (;;) {
    const ms = await Promise.race([over.then(() => 0), lab.clock.asleep()]).catch(() => 0);
    if (isOver) break;
    onLook?.();
    await lab.clock.advance(ms);
  }
  const result = await work;
  return { ...result, lines, tookMs: lab.clock.monotonic() - began };
}

function renew(lab: ExposeLab, name = "localizer-cart") {
  return () => lab.patch(leases, name, { spec: { renewTime: String(lab.clock.now()) } });
}

test("restoreForgotten() finds nothing where nothing was forgotten", async () => {
  await using lab = await ExposeLab.open();
  lab.deployment("cart", 3);
  const { restored, alive, failures, tookMs } = await restore(lab);
  assert.deepEqual({ restored, alive, failures, tookMs }, { restored: 0, alive: [], failures: [], tookMs: 0 });
  assert.deepEqual(lab.writes, []);
});

test("restoreForgotten() ends a session of which only the Lease is left, with the numbers of its record", async () => {
  await using lab = await ExposeLab.open();
  const owner = lab.deployment("cart", 0);
  await take(lab, { owners: [{ ...owner, replicas: 3 }] });
  const { restored, failures, tookMs } = await restore(lab);
  assert.deepEqual({ restored, failures, tookMs }, { restored: 1, failures: [], tookMs: durationMs });
  assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
  assert.deepEqual(lab.names(leases), []);
});

test("restoreForgotten() ends a session of which only the owners' annotations are left, at once", async () => {
  await using lab = await ExposeLab.open();
  const owners = [lab.deployment("cart", 0, held(sessions.alice)), lab.widget("cart", 0, held(sessions.alice))];
  lab.pod("left-over", sessions.alice);
  const { restored, tookMs } = await restore(lab);
  assert.deepEqual({ restored, tookMs }, { restored: 1, tookMs: 0 });
  for (const owner of owners) assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
  assert.deepEqual(lab.names("pods"), []);
});

test("restoreForgotten() takes Lease and annotations together, also owners that the record does not know", async () => {
  await using lab = await ExposeLab.open();
  const known = lab.deployment("cart", 0, held(sessions.alice));
  const unknown = lab.deployment("second", 0, held(sessions.alice));
  await take(lab, { owners: [{ ...known, replicas: 9 }] });
  assert.equal((await restore(lab)).restored, 1);
  for (const owner of [known, unknown]) assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
  assert.deepEqual(lab.names(leases), []);
});

test("restoreForgotten() leaves a session alone that gives a sign of life", async () => {
  await using lab = await ExposeLab.open();
  const owner = lab.deployment("cart", 0, held(sessions.alice));
  const lease = await take(lab, { owners: [owner] });
  lab.writes.length = 0;
  const { restored, alive, lines } = await restore(lab, {}, { onLook: renew(lab) });
  assert.deepEqual({ restored, alive }, { restored: 0, alive: [lease] });
  assert.deepEqual(lab.writes, []);
  assert.deepEqual(
    lines.map(({ message }) => message),
    ['Waiting up to 5 s for a sign of life of alice@laptop, who exposes "shop/cart"'],
  );
});

test("restoreForgotten() watches a session that began while it looked around", async () => {
  const found: { lab?: ExposeLab } = {};
  const owners: ReturnType<ExposeLab["deployment"]>[] = [];
  await using lab = await ExposeLab.open({
    onRequest({ path, query }) {
      if (found.lab === undefined || owners.length > 0 || !path.endsWith("/deployments") || query.has("watch")) return;
      const spec = { holderIdentity: `alice@laptop/${sessions.alice}`, leaseDurationSeconds: 5 };
      const marks = { [labels.managedBy]: "localizer", [labels.session]: sessions.alice, [labels.service]: "cart" };
      found.lab.add(leases, "localizer-cart", { labels: marks, spec });
      owners.push(found.lab.deployment("cart", 0, held(sessions.alice)));
    },
  });
  found.lab = lab;
  const { restored, alive } = await restore(lab, {}, { onLook: renew(lab) });
  assert.deepEqual([restored, alive.length, lab.writes], [0, 1, []]);
});

test("restoreForgotten() waits for its grace beyond what was promised", async () => {
  await using lab = await ExposeLab.open();
  await take(lab);
  assert.equal((await restore(lab, {}, { graceMs: 3_000 })).tookMs, durationMs + 3_000);
});

test("restoreForgotten() ends dead sessions beside living ones, also of one owner", async () => {
  await using lab = await ExposeLab.open();
  const owner = lab.deployment("cart", 0, held(sessions.alice, sessions.bob));
  await take(lab, { owners: [owner] });
  const key = serviceKey("shop", "cart-admin");
  await take(lab, { session: sessions.bob, key, owners: [owner] });
  const { restored, alive } = await restore(lab, {}, { onLook: renew(lab, "localizer-cart-admin") });
  assert.deepEqual([restored, alive.map(({ session }) => session)], [1, [sessions.bob]]);
  assert.deepEqual(lab.owner(owner), { replicas: 0, annotations: held(sessions.bob) });
  assert.deepEqual(lab.names(leases), ["localizer-cart-admin"]);
});

test("restoreForgotten() looks in all namespaces, or in the one that is given", async () => {
  await using lab = await ExposeLab.open();
  const shop = lab.deployment("cart", 0, held(sessions.alice));
  const annotated = { annotations: held(sessions.bob), spec: { replicas: 0 } };
  const bank = lab.add("deployments.apps", "vault", annotated, "bank").metadata;
  assert.equal((await restore(lab, { namespaces: ["shop"] })).restored, 1);
  assert.equal(lab.owner(shop).replicas, 3);
  assert.equal(lab.find("deployments.apps", "vault", "bank")?.metadata.resourceVersion, bank.resourceVersion);
  assert.equal((await restore(lab)).restored, 1);
  assert.equal((await restore(lab)).restored, 0);
});

test("restoreForgotten() of one Service leaves other Services' Leases alone, and takes owners without a Lease", async () => {
  await using lab = await ExposeLab.open();
  const own = lab.deployment("cart", 0, held(sessions.alice));
  const other = lab.deployment("other", 0, held(sessions.bob));
  const orphan = lab.deployment("orphan", 0, held(sessions.carol));
  await take(lab, { owners: [own] });
  await take(lab, { session: sessions.bob, key: serviceKey("shop", "other"), owners: [other] });
  assert.equal((await restore(lab, { namespaces: ["shop"], key: cart })).restored, 2);
  assert.deepEqual(
    [own, other, orphan].map((owner) => lab.owner(owner).replicas),
    [3, 0, 3],
  );
  assert.deepEqual(lab.names(leases), ["localizer-other"]);
});

test("restoreForgotten() goes on with the others when one session cannot be ended, and says why", async () => {
  await using lab = await ExposeLab.open();
  lab.deployment("cart", 0, held(sessions.alice));
  const widget = lab.widget("cart", 0, held(sessions.bob));
  lab.fail(calling("patch", "deployments"), { kind: "forbidden" });
  const { restored, failures } = await restore(lab);
  assert.deepEqual([restored, failures.map(({ code }) => code)], [1, ["denied"]]);
  assert.equal(lab.owner(widget).replicas, 3);
});

test("restoreForgotten() tells which kinds it may not look at, and looks at the others", async () => {
  await using lab = await ExposeLab.open();
  const owner = lab.deployment("cart", 0, held(sessions.alice));
  lab.fail(calling("list", "widgets"), { kind: "forbidden" });
  const { restored, lines } = await restore(lab);
  assert.equal(restored, 1);
  assert.equal(lab.owner(owner).replicas, 3);
  assert.match(lines[0]?.message ?? "", /^Did not look at widgets: .*widgets.example.com is forbidden/);
});

test("restoreForgotten() fails when it may not look at Leases, rather than to take everybody for dead", async () => {
  await using lab = await ExposeLab.open();
  lab.deployment("cart", 0, held(sessions.alice));
  lab.fail(calling("list", "leases"), { kind: "forbidden" });
  await assert.rejects(restore(lab), { code: "denied" });
  assert.deepEqual(lab.writes, []);
});

test("restoreForgotten() ends a session whose record somebody has edited, by annotations and label", async () => {
  await using lab = await ExposeLab.open();
  const name = `a${"b".repeat(62)}`;
  const owner = lab.deployment("cart", 0, held(sessions.alice));
  const { ref } = await take(lab, { key: serviceKey("shop", name), owners: [owner] });
  lab.patch(leases, ref.name, { metadata: { annotations: { [annotations.record]: "{}" } } as object });
  const { restored, lines } = await restore(lab);
  assert.equal(restored, 1);
  assert.match(lines[0]?.message ?? "", new RegExp(`"shop/${name}"$`));
  assert.deepEqual([lab.owner(owner).replicas, lab.names(leases)], [3, []]);
});

test("restoreForgotten() believes no record that is about another namespace or Service than its Lease", async () => {
  await using lab = await ExposeLab.open();
  const spec = { replicas: 0 };
  const { uid } = lab.add("deployments.apps", "vault", { spec }, "bank").metadata;
  const foreign = { ...lab.deployment("x", 1), namespace: "bank", name: "vault", uid, replicas: 50 };
  await take(lab, { owners: [foreign] });
  assert.equal((await restore(lab)).restored, 1);
  assert.deepEqual(lab.find("deployments.apps", "vault", "bank")?.spec, {
    ...spec,
    strategy: { type: "RollingUpdate" },
  });
});

test("restoreForgotten() does not stumble over a Lease whose label is no name", async () => {
  await using lab = await ExposeLab.open();
  const marks = { [labels.managedBy]: "localizer", [labels.session]: sessions.alice, [labels.service]: "a.b" };
  const spec = { holderIdentity: `alice@laptop/${sessions.alice}`, leaseDurationSeconds: 5 };
  lab.add(leases, "localizer-a.b", { labels: marks, spec });
  const { failures } = await restore(lab);
  assert.deepEqual(failures, []);
});

test("restoreForgotten() ends with its signal, and ends no session then", async () => {
  await using lab = await ExposeLab.open();
  const owner = lab.deployment("cart", 0, held(sessions.alice));
  await take(lab, { owners: [owner] });
  const stop = new AbortController();
  const onLook = () => stop.abort(new LocalizerError("aborted", "Stopped"));
  const { restored, failures } = await restore(lab, {}, { signal: stop.signal, onLook });
  assert.deepEqual([restored, failures.map(({ code }) => code)], [0, ["aborted"]]);
  assert.equal(lab.owner(owner).replicas, 0);
});

test("endDead() ends the session of that Lease, and no other", async () => {
  await using lab = await ExposeLab.open();
  const owner = lab.deployment("cart", 0, held(sessions.alice));
  const other = lab.deployment("other", 0, held(sessions.bob));
  const lease = await take(lab, { owners: [owner] });
  const { report } = keptLines();
  await endDead(lab.components, lease, cart, { signal: new AbortController().signal, report, waitMs: 0 });
  assert.deepEqual([lab.owner(owner).replicas, lab.owner(other).replicas], [3, 0]);
  assert.deepEqual(lab.names(leases), []);
});

test("restoreForgotten() does not let the record of a Lease reach into another namespace", async () => {
  await using lab = await ExposeLab.open();
  const { metadata } = lab.add("deployments.apps", "secret", { spec: { replicas: 0 } }, "bank");
  const version = "v1/namespaces/bank/deployments/secret?x=";
  await take(lab, { owners: [exampleOwner({ version, name: "x", uid: metadata.uid, replicas: 7 })] });
  await restore(lab, { namespaces: ["shop"] });
  assert.equal(numberAt(lab.find("deployments.apps", "secret", "bank"), "spec", "replicas"), 0);
});

test("restoreForgotten() names who exposed, and who has claimed it since and fell silent", async () => {
  await using lab = await ExposeLab.open();
  const owner = lab.deployment("cart", 0, held(sessions.alice));
  const lease = await take(lab, { owners: [owner] });
  const by = { id: "b0b", holder: "bob@desk" };
  await claimLease(lab.components, lease, { by });
  const { restored, lines } = await restore(lab);
  assert.equal(restored, 1);
  assert.deepEqual(
    lines.map(({ message }) => message),
    [
      'Waiting up to 5 s for a sign of life of bob@desk, who puts back "shop/cart" after alice@laptop',
      'Deployment "shop/cart" is set to 3 again',
      '"shop/cart" is not exposed by alice@laptop any more',
    ],
  );
});

test("restoreForgotten() ends no session that two Leases name, and says which", async () => {
  await using lab = await ExposeLab.open();
  const owner = lab.deployment("cart", 0, held(sessions.alice));
  await take(lab, { owners: [{ ...owner, replicas: 3 }] });
  await take(lab, { key: serviceKey("shop", "other") });
  const { restored, failures } = await restore(lab);
  assert.equal(restored, 0);
  assert.match(failures.map(String).join(), /both name it/);
  assert.deepEqual([lab.owner(owner).replicas, lab.names(leases).length], [0, 2]);
});
