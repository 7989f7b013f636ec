import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalOf } from "../../test/contract/api-target.ts";
import { startSandbox } from "../../test/support/sandbox.ts";

const rollouts = { group: "argoproj.io", version: "v1alpha1", plural: "rollouts", kind: "Rollout", namespaced: true };

test("a kind of one's own has scale if it says so, and then discovery says it", async () => {
  const plain = { ...rollouts, plural: "plains", kind: "Plain" };
  await using t = await startSandbox({ resources: [{ ...rollouts, scale: true }, plain] });
  const client = t.client();
  const folder = "/apis/argoproj.io/v1alpha1/namespaces/default";
  await client.request({ method: "POST", path: `${folder}/rollouts`, body: { metadata: { name: "cart" } } });
  const path = `${folder}/rollouts/cart/scale`;
  await client.request({ method: "PUT", path, body: { metadata: { name: "cart" }, spec: { replicas: 3 } } });
  const [rollout] = t.server.store.list({ ...rollouts });
  assert.deepEqual(rollout?.spec, { replicas: 3 });
  const list = JSON.stringify(await client.getJson("/apis/argoproj.io/v1alpha1"));
  assert.deepEqual([list.includes('"rollouts/scale"'), list.includes('"plains/scale"')], [true, false]);
  await client.request({ method: "POST", path: `${folder}/plains`, body: { metadata: { name: "cart" } } });
  const without = `${folder}/plains/cart/scale`;
  assert.match(await refusalOf(client, { method: "GET", path: without }), /^404 NotFound: the server could not find/);
});
