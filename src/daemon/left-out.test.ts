import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalizerError } from "../errors.ts";
import { leftOutOf } from "./left-out.ts";

const all = { namespaces: undefined, because: undefined };
const words = (sources: Parameters<typeof leftOutOf>[0]) =>
  leftOutOf(sources).map(({ namespace, name, status }) => `${namespace}/${name} ${status}`);

test("leftOutOf() names what is left out by default, unless it was named", () => {
  const options = { namespaces: [], skipNamespaces: ["shop"] };
  assert.deepEqual(words({ options, scope: all, watches: [] }), [
    "default/kubernetes skipped",
    "shop/ skipped",
    "kube-system/ skipped",
  ]);
  const named = { namespaces: ["kube-system"], skipNamespaces: [] };
  assert.deepEqual(words({ options: named, scope: { ...all, namespaces: ["kube-system"] }, watches: [] }), [
    "default/kubernetes skipped",
    "*/ skipped",
  ]);
});

test("leftOutOf() tells a right that is missing from a wish", () => {
  const because = new LocalizerError("denied", "Cannot list services: forbidden");
  const options = { namespaces: [], skipNamespaces: [] };
  const watches = [
    { plural: "services", state: "denied", namespace: "bank", lastError: because },
    { plural: "endpointslices", state: "denied", namespace: "bank", lastError: because },
    { plural: "services", state: "watching", namespace: "shop" },
  ] as const;
  assert.deepEqual(words({ options, scope: { namespaces: ["bank", "shop"], because }, watches }).slice(2), [
    "bank/ denied",
    "*/ denied",
  ]);
});
