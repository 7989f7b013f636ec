import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { at, listAt, textAt } from "../kube/json.ts";
import { type ReaperPlan, reaperManifest, reaperRules } from "./reaper-manifest.ts";
import { managedSelector } from "./records.ts";

const plan: ReaperPlan = {
  ...{ namespace: "localizer", image: "image:1", version: "1.2.3", grace: "10m", every: "1m" },
  ...{ watched: [], kinds: [] },
};

/** `Kind namespace/name` of each. */
function names(parts: Partial<ReaperPlan> = {}): readonly string[] {
  return reaperManifest({ ...plan, ...parts }).map((object) => {
    const namespace = textAt(object, "metadata", "namespace");
    return `${textAt(object, "kind")} ${namespace === undefined ? "" : `${namespace}/`}${textAt(object, "metadata", "name")}`;
  });
}

function podOf(parts: Partial<ReaperPlan> = {}): unknown {
  return at(reaperManifest({ ...plan, ...parts }).at(-1), "spec", "template");
}

describe("reaperManifest()", () => {
  it("makes its namespace, an account with one role everywhere, and a Deployment", () => {
    assert.deepEqual(names(), [
      "Namespace localizer",
      "ServiceAccount localizer/localizer-reaper",
      "ClusterRole localizer-reaper:localizer",
      "ClusterRoleBinding localizer-reaper:localizer",
      "Deployment localizer/localizer-reaper",
    ]);
  });

  it("has rights in the watched namespaces alone, and leaves a namespace of somebody else's as it is", () => {
    assert.deepEqual(names({ namespace: "tools", watched: ["shop", "bank"] }), [
      "ServiceAccount tools/localizer-reaper",
      "Role shop/localizer-reaper:tools",
      "RoleBinding shop/localizer-reaper:tools",
      "Role bank/localizer-reaper:tools",
      "RoleBinding bank/localizer-reaper:tools",
      "Deployment tools/localizer-reaper",
    ]);
  });

  it("runs restore in a loop, where it has rights", () => {
    const args = (parts: Partial<ReaperPlan>) => {
      const [container] = listAt(podOf(parts), "spec", "containers");
      return listAt(container, "args");
    };
    assert.deepEqual(args({}), ["restore", "--all", "--every=1m", "--grace=10m"]);
    assert.deepEqual(args({ watched: ["shop", "bank"], grace: "0s" }), [
      ...["restore", "--namespace=shop", "--namespace=bank", "--every=1m", "--grace=0s"],
    ]);
  });

  it("is none of the objects that sessions are known by", () => {
    const [managedBy = ""] = managedSelector.split("=");
    for (const object of [...reaperManifest(plan), podOf()]) {
      assert.equal(at(object, "metadata", "labels", managedBy), undefined);
    }
  });
});

describe("reaperRules()", () => {
  it("are these and no others", () => {
    const rules = reaperRules([{ plural: "rollouts", group: "argoproj.io" }]);
    assert.deepEqual(
      rules.map(({ apiGroups, resources, verbs }) => `${apiGroups.join()} ${resources.join()}: ${verbs.join()}`),
      [
        "coordination.k8s.io leases: get,list,patch,delete",
        " pods: list,patch,delete",
        " services: get",
        "discovery.k8s.io endpointslices: list",
        "apps deployments,replicasets,statefulsets: get,list,patch",
        " replicationcontrollers: get,list,patch",
        "argoproj.io rollouts: get,list,patch",
        "argoproj.io rollouts/scale: get,update",
      ],
    );
  });
});
