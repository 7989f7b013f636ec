import assert from "node:assert/strict";
import { test } from "node:test";
import { someCluster } from "../../test/rpc/fake-daemon.ts";
import type { LeftOut } from "../rpc/listed.ts";
import { whyAbsent } from "./absence.ts";

const cluster = someCluster.cluster();
const leftOut: readonly LeftOut[] = [
  { namespace: "default", name: "kubernetes", status: "skipped", reason: "it is the API server itself" },
  { namespace: "kube-system", name: "", status: "skipped", reason: "--namespace brings it" },
  { namespace: "bank", name: "", status: "denied", reason: "Cannot list services: forbidden" },
];

test("whyAbsent() says what leaves a Service out, or that a right is missing", () => {
  const why = (namespace: string, name?: string) => {
    const error = whyAbsent(name === undefined ? { namespace } : { namespace, name }, { cluster, leftOut });
    return error && [error.code, error.message];
  };
  assert.deepEqual(why("default", "kubernetes"), [
    "not-found",
    'Service "default/kubernetes" is left out: it is the API server itself',
  ]);
  assert.deepEqual(why("kube-system", "dns"), [
    "not-found",
    'Service "kube-system/dns" is left out: --namespace brings it',
  ]);
  assert.deepEqual(why("bank"), ["denied", 'Namespace "bank" is not followed: Cannot list services: forbidden']);
  assert.deepEqual([why("default", "web"), why("default"), why("shop", "cart")], [undefined, undefined, undefined]);
});

test("whyAbsent() tells of other namespaces than those that are followed", () => {
  const only = { ...cluster, namespaces: ["shop"] };
  const other = { namespace: "*", name: "", status: "denied", reason: "forbidden" };
  assert.equal(whyAbsent({ namespace: "bar" }, { cluster: only, leftOut: [other] })?.code, "denied");
  assert.equal(whyAbsent({ namespace: "shop" }, { cluster: only, leftOut: [other] }), undefined);
  assert.equal(
    whyAbsent({ namespace: "bar" }, { cluster: only, leftOut: [] })?.message,
    'Namespace "bar" is not followed: the daemon follows shop only',
  );
});
