import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fakeKube } from "../../test/support/fake-kube.ts";
import { Discovery, splitApiVersion } from "./discovery.ts";

const rollouts = { kind: "Rollout", plural: "rollouts", scale: true } as const;

describe("Discovery.find()", () => {
  it("gives plural and scope, and whether a kind can be scaled", async () => {
    const discovery = new Discovery(fakeKube({ objects: [] }));
    const deployments = { group: "apps", version: "v1", plural: "deployments", kind: "Deployment" };
    const found = await discovery.find({ group: "apps", version: "v1", kind: "Deployment" });
    assert.deepEqual(found, { ...deployments, namespaced: true, scalable: true });
    const jobs = await discovery.find({ group: "batch", version: "v1", kind: "Job" });
    assert.equal(jobs?.scalable, false);
    const namespaces = await discovery.find({ group: "", version: "v1", kind: "Namespace" });
    assert.equal(namespaces?.namespaced, false);
  });

  it("reads a group once, and once more for what it does not remember", async () => {
    const kube = fakeKube({ objects: [], kinds: [{ ...rollouts, apiVersion: "argoproj.io/v1" }] });
    const discovery = new Discovery(kube);
    const rollout = { group: "argoproj.io", version: "v1", kind: "Rollout" };
    await discovery.find(rollout);
    await discovery.find(rollout);
    assert.deepEqual(kube.calls, ["GET /apis/argoproj.io/v1"]);
    assert.equal(await discovery.find({ ...rollout, kind: "Analysis" }), undefined);
    assert.deepEqual(kube.calls, ["GET /apis/argoproj.io/v1", "GET /apis/argoproj.io/v1"]);
  });

  it("finds a kind in another version of its group when its own is gone", async () => {
    const discovery = new Discovery(fakeKube({ objects: [], kinds: [{ ...rollouts, apiVersion: "argoproj.io/v1" }] }));
    const found = await discovery.find({ group: "argoproj.io", version: "v1alpha1", kind: "Rollout" });
    assert.equal(found?.version, "v1");
  });

  it("gives undefined for a group that is not served", async () => {
    const discovery = new Discovery(fakeKube({ objects: [] }));
    assert.equal(await discovery.find({ group: "keda.sh", version: "v1", kind: "ScaledObject" }), undefined);
    assert.equal(await discovery.find({ group: "", version: "v2", kind: "Pod" }), undefined);
  });

  it("throws when a group does not answer", async () => {
    const discovery = new Discovery(fakeKube({ objects: [], broken: ["/apis/apps/v1"] }));
    await assert.rejects(discovery.find({ group: "apps", version: "v1", kind: "Deployment" }), { code: "unavailable" });
  });
});

describe("Discovery.scalableKinds()", () => {
  it("gives each kind once, in the preferred version", async () => {
    const kinds = ["argoproj.io/v1alpha1", "argoproj.io/v1"].map((apiVersion) => ({ ...rollouts, apiVersion }));
    const found = await new Discovery(fakeKube({ objects: [], kinds })).scalableKinds();
    assert.deepEqual(found.failures, []);
    assert.deepEqual(found.kinds.map(({ plural, version }) => `${plural} ${version}`).sort(), [
      "deployments v1",
      "replicasets v1",
      "replicationcontrollers v1",
      "rollouts v1",
      "statefulsets v1",
    ]);
  });

  it("leaves out a group that fails, and reports it", async () => {
    const found = await new Discovery(fakeKube({ objects: [], broken: ["/apis/apps/v1"] })).scalableKinds();
    assert.deepEqual(
      found.kinds.map(({ plural }) => plural),
      ["replicationcontrollers"],
    );
    assert.deepEqual(
      found.failures.map(({ message }) => message),
      ["Cannot get /apis/apps/v1"],
    );
    assert.deepEqual([...found.unknownGroups], ["apps"]);
  });

  it("stops when it is told to", async () => {
    const discovery = new Discovery(fakeKube({ objects: [] }));
    await assert.rejects(discovery.scalableKinds(AbortSignal.abort()), { code: "aborted" });
  });
});

describe("splitApiVersion()", () => {
  it("knows the core group", () => {
    assert.deepEqual(splitApiVersion("v1"), { group: "", version: "v1" });
    assert.deepEqual(splitApiVersion("apps/v1"), { group: "apps", version: "v1" });
  });
});
