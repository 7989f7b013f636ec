import assert from "node:assert/strict";
import { test } from "node:test";
import { calling, ExposeLab, exampleRecord, sessions } from "../../test/support/expose-lab.ts";
import { examplePlan } from "../../test/support/expose-plan.ts";
import { podOptions } from "./pod-options.ts";
import { rehearse } from "./rehearsal.ts";

const settings = { pod: podOptions({}, "0") };
const unsupported = 'admission webhook "audit.example.com" does not support dry run';

async function rehearsed(lab: ExposeLab) {
  const record = exampleRecord({ owners: [lab.deployment("cart", 3), lab.widget("fleet", 2)] });
  const holdings = { plan: examplePlan(), record, mates: () => [sessions.alice] };
  return await rehearse(lab.components, settings, holdings, AbortSignal.timeout(10_000));
}

for (const [verb, plural, request, what] of [
  ["create", "secrets", "POST secrets?", "the pod's Secret"],
  ["create", "pods", "POST pods?", "the pod"],
  ["patch", "deployments", "PATCH deployments/cart?", '0 replicas of Deployment "shop/cart"'],
  ["patch", "widgets", "PATCH widgets/fleet?", '0 replicas of Widget "shop/fleet"'],
] as const) {
  test(`rehearse() takes a webhook that cannot be asked about ${plural} for no refusal, goes on and says so`, async () => {
    await using lab = await ExposeLab.open();
    lab.fail(calling(verb, plural), { kind: "failure", code: 400, message: unsupported });
    const { unknown } = await rehearsed(lab);
    const open = "is seen only when it is done: an admission webhook does not support dry runs";
    assert.deepEqual(unknown, [`Whether the cluster allows ${what} ${open}`]);
    assert.ok(lab.writes.includes(request), request);
    assert.deepEqual(
      lab.writes.filter((write) => !write.endsWith("?")),
      [],
    );
    assert.equal(lab.owner({ group: "apps", plural: "deployments", name: "cart" }).replicas, 3);
  });

  test(`rehearse() fails when ${plural} are refused`, async () => {
    await using lab = await ExposeLab.open();
    lab.fail(calling(verb, plural), { kind: "failure", code: 403, message: "exceeded quota" });
    await assert.rejects(rehearsed(lab), { code: "denied", message: /^The cluster refuses .*: exceeded quota$/ });
  });
}
