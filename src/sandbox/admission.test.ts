import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalOf } from "../../test/contract/api-target.ts";
import { startSandbox } from "../../test/support/sandbox.ts";
import type { AdmissionCall } from "./admission.ts";
import { denied } from "./status.ts";

const path = "/api/v1/namespaces/default/pods";
const body = { metadata: { name: "box", labels: { app: "a" } } };

test("admission refuses a dry run as it would refuse the write", async () => {
  await using t = await startSandbox({
    admit({ resource, name, operation }) {
      if (operation === "CREATE" && resource.plural === "pods") throw denied(resource, name, "exceeded quota: q");
      return undefined;
    },
  });
  const client = t.client();
  for (const query of ["", "?dryRun=All"]) {
    assert.equal(
      await refusalOf(client, { method: "POST", path: `${path}${query}`, body }),
      '403 Forbidden: pods "box" is forbidden: exceeded quota: q',
    );
  }
  assert.equal(t.server.store.list(t.server.resource("pods")).length, 0);
});

test("what admission returns is what is stored", async () => {
  await using t = await startSandbox({
    admit: ({ resource }, object) =>
      resource.plural === "pods" ? { ...object, spec: { runtimeClassName: "gvisor" } } : undefined,
  });
  await t.client().request({ method: "POST", path, body });
  const [pod] = t.server.store.list(t.server.resource("pods"));
  assert.deepEqual(pod?.spec, { runtimeClassName: "gvisor" });
});

test("admission is told who writes what, through which subresource, and what was there", async () => {
  const calls: AdmissionCall[] = [];
  await using t = await startSandbox({ admit: (call) => void calls.push(call) });
  const client = t.client();
  const deployments = "/apis/apps/v1/namespaces/default/deployments";
  await client.request({ method: "POST", path: deployments, body: { metadata: { name: "cart" }, spec: {} } });
  const merge = { contentType: "application/merge-patch+json", body: { spec: { replicas: 0 } } };
  await client.request({ method: "PATCH", path: `${deployments}/cart/scale?fieldManager=me&dryRun=All`, ...merge });
  await client.request({ method: "DELETE", path: `${deployments}/cart` });
  const told = calls
    .filter(({ resource }) => resource.plural === "deployments")
    .map(({ operation, subresource, manager, dryRun, before }) => [
      operation,
      subresource,
      manager,
      dryRun,
      before === undefined,
    ]);
  assert.deepEqual(told, [
    ["CREATE", undefined, "localizer", false, true],
    ["UPDATE", "scale", "me", true, false],
    ["DELETE", undefined, "localizer", false, false],
  ]);
});
