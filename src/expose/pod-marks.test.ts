import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf } from "../errors.ts";
import { serviceKey } from "../model/service-key.ts";
import { podMarks } from "./pod-marks.ts";
import { type PodWish, podOptions } from "./pod-options.ts";

const session = "0a1b2c3d-0000-4000-8000-000000000001";

function marks(wish: Partial<PodWish>, selector: Readonly<Record<string, string>> = { app: "cart" }) {
  const pod = { key: serviceKey("shop", "cart"), selector, session, holder: "alice@laptop" };
  return podMarks(pod, podOptions(wish, "1.2.3"));
}

function refused(wish: Partial<PodWish>, why: RegExp, selector?: Readonly<Record<string, string>>) {
  assert.throws(
    () => marks(wish, selector),
    (error) => codeOf(error) === "usage" && why.test(String(error)),
  );
}

test("podMarks() keeps meshes away unless told to inherit", () => {
  const { labels, annotations } = marks({});
  assert.equal(labels["sidecar.istio.io/inject"], "false");
  assert.equal(labels["istio.io/dataplane-mode"], "none");
  assert.equal(annotations["linkerd.io/inject"], "disabled");
  const inherited = marks({ mesh: "inherit" });
  assert.deepEqual(Object.keys(inherited.labels).sort(), [
    "app.kubernetes.io/managed-by",
    "localizer.dev/service",
    "localizer.dev/session",
  ]);
  assert.deepEqual(inherited.annotations, { "localizer.dev/holder": "alice@laptop" });
});

test("podMarks() adds the user's", () => {
  const { labels, annotations } = marks({ labels: { team: "a" }, annotations: { note: "b" } });
  assert.equal(labels.team, "a");
  assert.equal(annotations.note, "b");
});

test("podMarks() refuses the user's where localizer has its own", () => {
  for (const name of ["app.kubernetes.io/managed-by", "localizer.dev/session", "localizer.dev/other"]) {
    refused({ labels: { [name]: "x" } }, /localizer's own/);
  }
  for (const name of ["localizer.dev/holder", "localizer.dev/other"]) {
    refused({ annotations: { [name]: "x" } }, /localizer's own/);
  }
});

test("podMarks() refuses a label of the Service's selector", () => {
  refused({ labels: { app: "cart" } }, /"app".*selector/);
  refused({ labels: { tier: "x" } }, /"tier".*selector/, { app: "cart", tier: "web" });
});

test("podMarks() refuses to contradict itself about the mesh", () => {
  refused({ labels: { "sidecar.istio.io/inject": "true" } }, /mesh "inherit"/);
  refused({ annotations: { "linkerd.io/inject": "enabled" } }, /mesh "inherit"/);
  const { labels } = marks({ mesh: "inherit", labels: { "sidecar.istio.io/inject": "true" } });
  assert.equal(labels["sidecar.istio.io/inject"], "true");
});
