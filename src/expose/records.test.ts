import assert from "node:assert/strict";
import { test } from "node:test";
import { cart, exampleOwner, exampleRecord, sessions } from "../../test/support/expose-lab.ts";
import { codeOf } from "../errors.ts";
import { serviceKey } from "../model/service-key.ts";
import {
  annotations,
  formatRecord,
  isSession,
  leaseName,
  markOf,
  markPatch,
  parseRecord,
  recordedOwner,
  sessionLabels,
  sessionSelector,
  shortened,
} from "./records.ts";

const longest = "a".repeat(63);

function marked(values: Readonly<Record<string, string>>) {
  return { metadata: { annotations: values } };
}

test("parseRecord() reads what formatRecord() wrote", () => {
  const owners = [exampleOwner(), exampleOwner({ group: "", plural: "replicationcontrollers", replicas: 0 })];
  for (const record of [exampleRecord(), exampleRecord({ owners, phase: "starting" })]) {
    assert.deepEqual(parseRecord(formatRecord(record)), record);
  }
});

test("formatRecord() says namespace and service, so that people and other programs can read it", () => {
  const { namespace, service, key } = JSON.parse(formatRecord(exampleRecord()));
  assert.deepEqual({ namespace, service, key }, { namespace: "shop", service: "cart", key: undefined });
});

for (const [what, change] of [
  ["no session", { session: undefined }],
  ["a session that is no UUID", { session: "../../etc/passwd" }],
  ["an unknown phase", { phase: "ended" }],
  ["no service", { service: undefined }],
  ["a service that is no name", { service: "a/b" }],
  ["an owner without a uid", { owners: [{ ...exampleOwner(), uid: "" }] }],
  ["an owner without a kind", { owners: [{ ...exampleOwner(), kind: undefined }] }],
  ["an owner with a negative number", { owners: [exampleOwner({ replicas: -1 })] }],
  ["an owner with half a pod", { owners: [exampleOwner({ replicas: 1.5 })] }],
  ["an owner with a number as text", { owners: [{ ...exampleOwner(), replicas: "3" }] }],
  ["an owner that is scaled in an unknown way", { owners: [{ ...exampleOwner(), scaleBy: "magic" }] }],
  ["an owner that is none", { owners: [null] }],
  ["an owner of another namespace", { owners: [exampleOwner({ namespace: "bank" })] }],
  ["a group that leads elsewhere", { owners: [exampleOwner({ group: "apps/v1" })] }],
  ["a version that leads elsewhere", { owners: [exampleOwner({ version: "v1/namespaces/bank/deployments/x?y=" })] }],
  ["a version that is none", { owners: [exampleOwner({ version: "v1gamma1" })] }],
  ["a plural that leads elsewhere", { owners: [exampleOwner({ plural: "deployments/scale" })] }],
  ["a kind that is no word", { owners: [exampleOwner({ kind: "A\nB" })] }],
  ["a name that leads elsewhere", { owners: [exampleOwner({ name: ".." })] }],
  ["a uid that is none", { owners: [exampleOwner({ uid: "a/b" })] }],
] as const) {
  test(`parseRecord() refuses ${what}`, () => {
    const text = JSON.stringify({ ...JSON.parse(formatRecord(exampleRecord())), ...change });
    assert.throws(
      () => parseRecord(text),
      (error) => codeOf(error) === "usage",
    );
  });
}

test("parseRecord() takes every owner that a cluster may have", () => {
  const rollout = {
    group: "argoproj.io",
    version: "v1alpha1",
    plural: "rollouts",
    kind: "Rollout",
    scaleBy: "scale",
  } as const;
  const owners = [exampleOwner({ ...rollout, name: "a.b-1" }), exampleOwner({ name: "b".repeat(100) })];
  const record = exampleRecord({ owners });
  assert.deepEqual(parseRecord(formatRecord(record)), record);
});

test("parseRecord() refuses what is no JSON, and JSON that is no object", () => {
  for (const text of ["", "{", "null", "[]", '"text"', "7"]) {
    assert.throws(
      () => parseRecord(text),
      (error) => codeOf(error) === "usage",
    );
  }
});

test("isSession() takes a UUID in lower case and nothing around it", () => {
  assert.equal(isSession(sessions.alice), true);
  for (const text of [
    "",
    "x",
    sessions.alice.toUpperCase().replace("0A", "AA"),
    `${sessions.alice}\n`,
    `a,${sessions.bob}`,
  ]) {
    assert.equal(isSession(text), false, JSON.stringify(text));
  }
});

test("leaseName() is the Service's, never longer than a label, and differs where only the end of long names does", () => {
  assert.equal(leaseName(cart), "localizer-cart");
  const [a, b] = [`${longest.slice(1)}x`, `${longest.slice(1)}y`].map((name) => leaseName(serviceKey("shop", name)));
  assert.equal(a?.length, 63);
  assert.notEqual(a, b);
  assert.match(a ?? "", /^localizer-a+-[0-9a-f]{8}$/);
});

test("shortened() leaves alone what is short enough", () => {
  assert.equal(shortened(longest), longest);
  assert.equal(shortened(`${longest}b`).length, 63);
  assert.equal(shortened("abcdefghij", 10), "abcdefghij");
  assert.match(shortened("abcdefghijk", 10), /^a-[0-9a-f]{8}$/);
});

test("sessionLabels() mark what a session makes, and sessionSelector() selects it", () => {
  assert.deepEqual(sessionLabels({ session: sessions.alice, key: cart }), {
    "app.kubernetes.io/managed-by": "localizer",
    "localizer.dev/session": sessions.alice,
    "localizer.dev/service": "cart",
  });
  assert.equal(sessionSelector(sessions.alice), `localizer.dev/session=${sessions.alice}`);
});

test("recordedOwner() keeps nothing but what is recorded", () => {
  assert.deepEqual(recordedOwner({ ...exampleOwner(), adopts: true }), exampleOwner());
});

test("markOf() reads the annotations that markPatch() writes", () => {
  const mark = { sessions: [sessions.alice, sessions.bob], replicas: 3, holder: "alice@laptop" };
  const patch = markPatch(mark);
  const values = Object.fromEntries(Object.entries(patch).map(([name, value]) => [name, String(value)]));
  assert.deepEqual(markOf(marked(values)), mark);
});

test("markPatch() takes all annotations off when no session is left, or the number is unknown", () => {
  const none = { [annotations.session]: null, [annotations.replicas]: null, [annotations.holder]: null };
  assert.deepEqual(markPatch({ sessions: [], replicas: 3, holder: "alice@laptop" }), none);
  assert.deepEqual(markPatch({ sessions: [sessions.alice], replicas: undefined, holder: "" }), none);
});

test("markOf() is undefined without a session, whatever else is there", () => {
  assert.equal(markOf({}), undefined);
  assert.equal(markOf(marked({ [annotations.session]: "", [annotations.replicas]: "3" })), undefined);
  assert.equal(markOf(marked({ [annotations.session]: ",," })), undefined);
  assert.equal(markOf(marked({ [annotations.session]: "somebody", [annotations.replicas]: "3" })), undefined);
});

test("markOf() passes over what is no session", () => {
  const mark = markOf(marked({ [annotations.session]: `x, ${sessions.bob},${sessions.alice},a=b` }));
  assert.deepEqual(mark?.sessions, [sessions.alice]);
});

test("markOf() takes no number from an annotation that is none, or that no cluster could have", () => {
  for (const text of ["", "-1", "3.5", "0x3", "three", "1e3", "9999999999", " 3"]) {
    const mark = markOf(marked({ [annotations.session]: sessions.alice, [annotations.replicas]: text }));
    assert.deepEqual(mark, { sessions: [sessions.alice], replicas: undefined, holder: "" }, JSON.stringify(text));
  }
});
