import assert from "node:assert/strict";
import { test } from "node:test";
import { addedToPod } from "./added-containers.ts";

const sshd = { name: "sshd" };

test("addedToPod() has nothing to say of the pod that was asked for", () => {
  assert.deepEqual(addedToPod({ spec: { containers: [sshd], initContainers: [{ name: "prepare" }] } }), []);
});

test("addedToPod() names containers and sidecars that a webhook has added", () => {
  const initContainers = [{ name: "istio-init" }, { name: "istio-proxy", restartPolicy: "Always" }];
  assert.deepEqual(addedToPod({ spec: { containers: [{ name: "linkerd" }, sshd], initContainers } }), [
    "The cluster has added to the pod: linkerd, istio-proxy; should the exposure not come up, that may be why",
  ]);
});

test("addedToPod() warns of a sandbox that refuses port-forwards", () => {
  assert.deepEqual(addedToPod({ spec: { containers: [sshd], runtimeClassName: "gvisor" } }), [
    'The pod runs in RuntimeClass "gvisor": sandboxes like gVisor and Kata refuse port-forwards',
  ]);
});
