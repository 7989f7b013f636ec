import assert from "node:assert/strict";
import { test } from "node:test";
import { calling, cart, ExposeLab, exampleRecord, sessions } from "../../test/support/expose-lab.ts";
import { codeOf, type LocalizerError } from "../errors.ts";
import { at, textAt } from "../kube/json.ts";
import { annotations, formatRecord } from "./records.ts";
import { dropLease, heldSentence, leaseRef, parseLease, renewLease, seeLease, takeLease } from "./session-lease.ts";

const leases = "leases.coordination.k8s.io";
const name = "localizer-cart";
const options = { durationMs: 60_000 };
const bob = exampleRecord({ session: sessions.bob, holder: "bob@desk" });

function taken(lab: ExposeLab, record = exampleRecord()) {
  return takeLease(lab.components, record, options);
}

/** Somebody else takes the Lease of that name away and makes one of his own. */
async function takenOver(lab: ExposeLab) {
  lab.remove(leases, name);
  return await taken(lab, bob);
}

test("takeLease() writes who, since when, for how long, and the record", async () => {
  await using lab = await ExposeLab.open();
  const lease = await taken(lab);
  const made = lab.find(leases, name);
  const time = "1970-01-01T00:16:40.000000Z";
  assert.deepEqual(made?.spec, {
    holderIdentity: `alice@laptop/${sessions.alice}`,
    leaseDurationSeconds: 60,
    acquireTime: time,
    renewTime: time,
    leaseTransitions: 0,
  });
  assert.equal(textAt(made, "metadata", "annotations", annotations.record), formatRecord(exampleRecord()));
  assert.equal(made?.metadata.labels?.["localizer.dev/session"], sessions.alice);
  const { uid = "", resourceVersion = "" } = made?.metadata ?? {};
  const said = {
    session: sessions.alice,
    holder: "alice@laptop",
    claim: "",
    since: time,
    renewed: time,
    durationMs: 60_000,
  };
  assert.deepEqual(lease, { ref: leaseRef(cart), uid, resourceVersion, ...said, record: exampleRecord() });
  assert.deepEqual(await seeLease(lab.objects, leaseRef(cart)), lease);
});

test("takeLease() makes nothing on a dry run", async () => {
  await using lab = await ExposeLab.open();
  await takeLease(lab.components, exampleRecord(), { ...options, dryRun: true });
  assert.deepEqual(lab.names(leases), []);
});

test("takeLease() takes its own Lease for its own, after an answer that was lost", async () => {
  await using lab = await ExposeLab.open();
  const first = await taken(lab);
  assert.deepEqual(await taken(lab), first);
});

test("takeLease() leaves somebody else's Lease alone, and says whose it is", async () => {
  await using lab = await ExposeLab.open();
  const held = await taken(lab, bob);
  await lab.clock.advance(8_000);
  await assert.rejects(taken(lab), {
    code: "conflict",
    message:
      'Cannot expose "shop/cart": it is exposed by bob@desk since 1970-01-01T00:16:40Z (last sign of life 8 s ago)',
  });
  assert.deepEqual(await seeLease(lab.objects, leaseRef(cart)), held);
});

test("takeLease() says when a Lease of that name is none of localizer's", async () => {
  await using lab = await ExposeLab.open();
  lab.add(leases, name, { spec: { holderIdentity: "some-controller" } });
  await assert.rejects(taken(lab), {
    code: "conflict",
    message: `Cannot expose "shop/cart": a Lease "${name}" that is none of localizer's is in the way`,
  });
});

test("takeLease() fails as the API says no", async () => {
  await using lab = await ExposeLab.open();
  lab.fail(calling("create", "leases"), { kind: "forbidden" });
  await assert.rejects(taken(lab), { code: "denied" });
});

test("heldSentence() says no more than the Lease does, and no age below nothing", async () => {
  await using lab = await ExposeLab.open();
  const lease = await taken(lab, bob);
  const now = new Date(lab.clock.now() - 5_000);
  assert.match(heldSentence(cart, lease, now), /\(last sign of life 0 s ago\)$/);
  const mute = { ...lease, holder: "", since: "", renewed: "" };
  assert.equal(heldSentence(cart, mute, now), 'Cannot expose "shop/cart": it is exposed by somebody');
  const claimed = { ...mute, holder: "carol@desk", claim: "c1" };
  assert.match(heldSentence(cart, claimed, now), /: it is put back by carol@desk after an exposure$/);
});

test("parseLease() reads holders with a slash, Leases that say no time, and records that somebody has edited", () => {
  const metadata = {
    name,
    namespace: "shop",
    uid: "u",
    resourceVersion: "7",
    annotations: { [annotations.record]: "{" },
  };
  const lease = parseLease({ metadata, spec: { holderIdentity: `DOMAIN/alice@laptop/${sessions.alice}` } });
  assert.deepEqual(lease, {
    ref: leaseRef(cart),
    uid: "u",
    resourceVersion: "7",
    session: sessions.alice,
    holder: "DOMAIN/alice@laptop",
    claim: "",
    since: "",
    renewed: "",
    durationMs: 60_000,
    record: undefined,
  });
});

test("renewLease() gives a sign of life, and keeps the record unless another is given", async () => {
  await using lab = await ExposeLab.open();
  const lease = await taken(lab);
  await lab.clock.advance(20_000);
  const renewed = await renewLease(lab.components, lease);
  assert.equal(renewed.renewed, "1970-01-01T00:17:00.000000Z");
  assert.notEqual(renewed.resourceVersion, lease.resourceVersion);
  assert.deepEqual([renewed.since, renewed.record], [lease.since, lease.record]);
  const record = exampleRecord({ phase: "starting" });
  assert.deepEqual((await renewLease(lab.components, renewed, { record })).record, record);
});

test("renewLease() needs no version that is still the newest", async () => {
  await using lab = await ExposeLab.open();
  const lease = await taken(lab);
  await lab.clock.advance(1_000);
  await renewLease(lab.components, lease);
  await lab.clock.advance(1_000);
  assert.equal((await renewLease(lab.components, lease)).renewed, "1970-01-01T00:16:42.000000Z");
});

test("renewLease() says that the Lease was deleted", async () => {
  await using lab = await ExposeLab.open();
  const lease = await taken(lab);
  lab.remove(leases, name);
  await assert.rejects(renewLease(lab.components, lease), {
    code: "gone",
    message: `The Lease "shop/${name}" was deleted`,
  });
  assert.deepEqual(lab.names(leases), []);
});

test("renewLease() says who has taken over, and leaves him his Lease", async () => {
  await using lab = await ExposeLab.open();
  const lease = await taken(lab);
  const other = await takenOver(lab);
  await assert.rejects(renewLease(lab.components, lease, { record: exampleRecord() }), {
    code: "conflict",
    message: "The exposure was taken over by bob@desk",
  });
  assert.deepEqual(await seeLease(lab.objects, leaseRef(cart)), other);
});

test("renewLease() tries again when somebody writes the Lease in between", async () => {
  const found: { lab?: ExposeLab } = {};
  let left = 2;
  await using lab = await ExposeLab.open({
    onRequest({ method }) {
      if (method !== "PATCH" || left-- <= 0) return;
      found.lab?.patch(leases, name, { metadata: { labels: { touched: String(left) } } });
    },
  });
  found.lab = lab;
  const lease = await taken(lab);
  await lab.clock.advance(5_000);
  assert.equal((await renewLease(lab.components, lease)).renewed, "1970-01-01T00:16:45.000000Z");
});

test("renewLease() that is overtaken between its look and its write does not write over the other's", async () => {
  const found: { lab?: ExposeLab } = {};
  let isOver = false;
  await using lab = await ExposeLab.open({
    onRequest({ method }) {
      if (method !== "PATCH" || isOver) return;
      isOver = true;
      found.lab?.remove(leases, name);
      found.lab?.add(leases, name, { spec: { holderIdentity: `bob@desk/${sessions.bob}` } });
    },
  });
  found.lab = lab;
  const lease = await taken(lab);
  await assert.rejects(renewLease(lab.components, lease), (error: LocalizerError) => {
    assert.deepEqual([error.code, error.message], ["conflict", "The exposure was taken over by bob@desk"]);
    return true;
  });
  assert.equal(at(lab.find(leases, name), "spec", "renewTime"), undefined);
});

test("renewLease() writes the labels again that somebody has changed, and leaves others", async () => {
  await using lab = await ExposeLab.open();
  for (const record of [exampleRecord(), bob]) {
    const lease = await taken(lab, record);
    const before = lab.find(leases, name)?.metadata.labels;
    const changed = { "app.kubernetes.io/managed-by": "policy", "localizer.dev/session": null, team: "shop" };
    // A record that cannot be read is no reason to lose what finds it.
    const annotations = record === bob ? { "localizer.dev/record": "{" } : {};
    lab.patch(leases, name, { metadata: { labels: changed, annotations } as object });
    await renewLease(lab.components, lease);
    assert.deepEqual(lab.find(leases, name)?.metadata.labels, { ...before, team: "shop" });
    lab.remove(leases, name);
  }
});

test("renewLease() gives up on a Lease that changes all the time", async () => {
  const found: { lab?: ExposeLab } = {};
  let count = 0;
  await using lab = await ExposeLab.open({
    onRequest({ method }) {
      if (method === "PATCH") found.lab?.patch(leases, name, { metadata: { labels: { touched: String(count++) } } });
    },
  });
  found.lab = lab;
  const lease = await taken(lab);
  // A conflict would say that the session is somebody else's.
  await assert.rejects(renewLease(lab.components, lease), (error) => codeOf(error) === "unavailable");
  assert.equal(count, 4);
});

test("dropLease() deletes its own, once or twice, and nobody else's", async () => {
  await using lab = await ExposeLab.open();
  const lease = await taken(lab);
  await dropLease(lab.objects, lease);
  assert.deepEqual(lab.names(leases), []);
  await dropLease(lab.objects, lease);
  await taken(lab, bob);
  await dropLease(lab.objects, lease);
  assert.deepEqual(lab.names(leases), [name]);
});

test("dropLease() fails as the API says no", async () => {
  await using lab = await ExposeLab.open();
  const lease = await taken(lab);
  lab.fail(calling("delete", "leases"), { kind: "forbidden" });
  await assert.rejects(dropLease(lab.objects, lease), { code: "denied" });
});
