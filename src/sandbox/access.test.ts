import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalOf } from "../../test/contract/api-target.ts";
import { startSandbox } from "../../test/support/sandbox.ts";
import type { AccessAttempt, AccessRule } from "./access.ts";

const review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

async function startWith(allows: AccessRule) {
  const sandbox = await startSandbox({ allows });
  const client = sandbox.client();
  const ask = async (resourceAttributes: object) => {
    const said = await client.request({ method: "POST", path: review, body: { spec: { resourceAttributes } } });
    return JSON.stringify(said).includes('"allowed":true');
  };
  return { client, ask, [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose]() };
}

test("what the rule denies is answered no in a review and refused as a call, in the words of RBAC", async () => {
  const isScaling = ({ resource, subresource, verb }: AccessAttempt) =>
    resource === "deployments" && subresource === "scale" && verb === "update";
  await using t = await startWith((attempt) => !isScaling(attempt));
  const scale = { group: "apps", resource: "deployments", subresource: "scale", namespace: "default" };
  assert.deepEqual(
    [await t.ask({ ...scale, verb: "update" }), await t.ask({ ...scale, verb: "patch" })],
    [false, true],
  );
  const path = "/apis/apps/v1/namespaces/default/deployments/cart/scale";
  const body = { metadata: { name: "cart" }, spec: { replicas: 1 } };
  assert.equal(
    await refusalOf(t.client, { method: "PUT", path, body }),
    '403 Forbidden: deployments.apps "cart" is forbidden: User "sandbox" cannot update resource "deployments/scale" in API group "apps" in the namespace "default"',
  );
  assert.match(await refusalOf(t.client, { method: "GET", path }), /^404 NotFound/);
});

test("the rule sees all namespaces as none, and a review's name", async () => {
  const seen: AccessAttempt[] = [];
  await using t = await startWith((attempt) => seen.push(attempt) > 0);
  await t.client.getJson("/api/v1/services");
  await t.ask({ verb: "get", resource: "secrets", name: "a", namespace: "default" });
  const core = { group: "", subresource: undefined };
  assert.deepEqual(seen, [
    { ...core, verb: "list", resource: "services", namespace: undefined, name: undefined },
    { ...core, verb: "get", resource: "secrets", namespace: "default", name: "a" },
  ]);
});
