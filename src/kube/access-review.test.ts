import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fakeKube } from "../../test/support/fake-kube.ts";
import { resourceName, reviewAccess } from "./access-review.ts";

const namespace = "shop";
const forward = { verb: "create", group: "", resource: "pods", subresource: "portforward", namespace };
const patch = { verb: "patch", group: "apps", resource: "deployments", namespace };
const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

describe("reviewAccess()", () => {
  it("gives the rights that are denied", async () => {
    const kube = fakeKube({ objects: [], denied: ["create pods/portforward"] });
    assert.deepEqual(await reviewAccess(kube, [patch, forward]), { denied: [forward], unknown: [] });
    assert.deepEqual(kube.calls, [`POST ${path}`, `POST ${path}`]);
  });

  it("does not take silence for a no", async () => {
    const kube = fakeKube({ objects: [], broken: [path] });
    const { denied, unknown } = await reviewAccess(kube, [patch]);
    assert.deepEqual(denied, []);
    assert.deepEqual(
      unknown.map(({ right, reason }) => [right, reason.message]),
      [[patch, `Cannot get ${path}`]],
    );
  });

  for (const [status, expected] of [
    [{ allowed: false }, "denied"],
    [{ allowed: false, reason: 'RBAC: clusterrole "gone" not found' }, "denied"],
    [{ allowed: false, evaluationError: "webhook timed out" }, "unknown"],
    [{ allowed: false, denied: true, evaluationError: "webhook timed out" }, "denied"],
    [{ allowed: true, evaluationError: "webhook timed out" }, "allowed"],
    [{}, "denied"],
  ] as const) {
    it(`takes ${JSON.stringify(status)} for ${expected}`, async () => {
      const kube = fakeKube({ objects: [], reviews: { "patch deployments.apps": status } });
      const { denied, unknown } = await reviewAccess(kube, [patch]);
      assert.equal(denied.length > 0 ? "denied" : unknown.length > 0 ? "unknown" : "allowed", expected);
    });
  }

  it("stops when it is told to", async () => {
    const kube = fakeKube({ objects: [] });
    await assert.rejects(reviewAccess(kube, [patch], AbortSignal.abort()), { code: "aborted" });
  });
});

describe("resourceName()", () => {
  it("writes as kubectl does", () => {
    assert.equal(resourceName(forward), "pods/portforward");
    assert.equal(resourceName({ ...patch, subresource: "scale" }), "deployments.apps/scale");
  });
});
