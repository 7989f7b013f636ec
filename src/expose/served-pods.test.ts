import assert from "node:assert/strict";
import { test } from "node:test";
import { calling, cart, ExposeLab, sessions } from "../../test/support/expose-lab.ts";
import { readyPods, servedPods } from "./served-pods.ts";

const { signal } = new AbortController();
const slices = "endpointslices.discovery.k8s.io";
const alice = { key: cart, session: sessions.alice };

function ipv6Slice(lab: ExposeLab, service: string, uid: string) {
  const targetRef = { kind: "Pod", namespace: "shop", name: uid, uid };
  lab.add(slices, `${service}-v6`, {
    labels: { "kubernetes.io/service-name": service },
    addressType: "IPv6",
    endpoints: [{ addresses: ["fd00::1"], targetRef }],
  });
}

test("servedPods() gives the pods of all slices of the Service, each once", async () => {
  await using lab = await ExposeLab.open();
  const [a, b] = [lab.pod("a"), lab.pod("b")];
  lab.slice([{ pod: a }, { pod: b, ready: false }]);
  ipv6Slice(lab, "cart", a.metadata.uid);
  ipv6Slice(lab, "other", "uid-of-another");
  const found = await servedPods(lab.components, cart, signal);
  assert.deepEqual(
    found.map(({ uid, ready }) => [uid, ready]),
    [
      [a.metadata.uid, true],
      [b.metadata.uid, false],
    ],
  );
});

test("servedPods() is empty for a Service without slices, and leaves out endpoints that are no pods", async () => {
  await using lab = await ExposeLab.open();
  assert.deepEqual(await servedPods(lab.components, cart, signal), []);
  lab.add(slices, "by-hand", {
    labels: { "kubernetes.io/service-name": "cart" },
    addressType: "IPv4",
    endpoints: [{ addresses: ["192.0.2.1"] }],
  });
  assert.deepEqual(await servedPods(lab.components, cart, signal), []);
});

test("readyPods() tells ready pods of the session from others", async () => {
  await using lab = await ExposeLab.open();
  const [own, second, other] = [lab.pod("own", sessions.alice), lab.pod("own-2", sessions.alice), lab.pod("cart-x")];
  assert.equal((await readyPods(lab.components, alice, signal)).others, false);
  lab.slice([{ pod: own }, { pod: second }]);
  assert.equal((await readyPods(lab.components, alice, signal)).others, false);
  lab.slice([{ pod: own }, { pod: other, ready: false }]);
  assert.equal((await readyPods(lab.components, alice, signal)).others, false);
  lab.slice([{ pod: own }, { pod: other }]);
  assert.equal((await readyPods(lab.components, alice, signal)).others, true);
});

test("readyPods() knows who answers where the Service publishes addresses that are not ready", async () => {
  await using lab = await ExposeLab.open();
  const pods = [lab.pod("own", sessions.alice), lab.pod("starting"), lab.pod("leaving")];
  const conditions = [
    { ready: true, serving: true, terminating: false },
    { ready: true, serving: false, terminating: false },
    { ready: true, serving: true, terminating: true },
  ];
  lab.add(slices, "published", {
    labels: { "kubernetes.io/service-name": "cart" },
    addressType: "IPv4",
    endpoints: pods.map(({ metadata: { name, uid } }, index) => ({
      addresses: [`10.0.0.${index + 1}`],
      conditions: conditions[index],
      targetRef: { kind: "Pod", namespace: "shop", name, uid },
    })),
  });
  assert.deepEqual(await readyPods(lab.components, alice, signal), { own: true, others: false });
});

test("readyPods() takes no pod of a session beside for one of the workload", async () => {
  await using lab = await ExposeLab.open();
  const [own, beside] = [lab.pod("own", sessions.alice), lab.pod("beside", sessions.bob)];
  lab.slice([{ pod: own }, { pod: beside }]);
  assert.deepEqual(await readyPods(lab.components, alice, signal), { own: true, others: false });
  lab.slice([{ pod: beside }]);
  assert.deepEqual(await readyPods(lab.components, alice, signal), { own: false, others: false });
});

test("readyPods() fails as the API says no", async () => {
  await using lab = await ExposeLab.open();
  lab.fail(calling("list", "endpointslices"), { kind: "forbidden" });
  await assert.rejects(readyPods(lab.components, alice, signal), { code: "denied" });
});
